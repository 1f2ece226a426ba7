"""The result of a study on its MLflow page: files, summary, and each trial's place."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuner.mlflow_client import Metric, Run, RunTag
from tuner.mlflow_study import MlflowStudy

FRONT_COLOUR, OTHER_COLOUR = "#d62728", "#b0b0b0"
TABLE = "front/table.json"


@dataclass(frozen=True)
class Publication:
    """What is known at the end of a study, or at any point before.

    Attributes:
        files: the folder of tables and pictures; uploaded as ``front/``, with the study's
            ``report.html`` beside it.
        summary: numbers of the whole study: the hypervolume, trials by state.
        ranks: place of every ranked trial by number; 0 is the front.
        table: the front as ``{"columns": [...], "data": [[...], ...]}``.
    """

    files: Path
    summary: Mapping[str, float] = field(default_factory=dict)
    ranks: Mapping[int, int] = field(default_factory=dict)
    table: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def publish(study: MlflowStudy, publication: Publication) -> None:
    """Bring the study's page up to date; may be called again whenever something changed."""
    _upload(study, publication)
    parent = study.client.get_run(study.run_id)
    _log(study, parent, metrics=publication.summary)
    for trial in study.children():
        rank = publication.ranks.get(int(trial.data.tags["tuner.trial"]))
        tags = {
            "tuner.front": "true" if rank == 0 else "false",
            "mlflow.runColor": FRONT_COLOUR if rank == 0 else OTHER_COLOUR,
        }
        _log(study, trial, metrics={} if rank is None else {"pareto/rank": rank}, tags=tags)


def _upload(study: MlflowStudy, publication: Publication) -> None:
    if publication.files.is_dir():
        study.client.log_artifacts(study.run_id, str(publication.files), "front")
    report = study.directory / "report.html"
    if report.is_file():
        study.client.log_artifact(study.run_id, str(report))
    if publication.table:
        # log_table would append to the table that is there.
        study.client.log_dict(study.run_id, dict(publication.table), TABLE)
        shown = json.dumps([{"path": TABLE, "type": "table"}])
        study.client.set_tag(study.run_id, "mlflow.loggedArtifacts", shown)


def _log(
    study: MlflowStudy,
    run: Run,
    *,
    metrics: Mapping[str, float],
    tags: Mapping[str, str] | None = None,
) -> None:
    """Log what differs from what the run holds, in one request or none."""
    now = int(time.time() * 1000)
    study.client.log_batch(
        run.info.run_id,
        metrics=[
            Metric(key, float(value), timestamp=now, step=0)
            for key, value in metrics.items()
            if run.data.metrics.get(key) != value
        ],
        tags=[
            RunTag(key, value)
            for key, value in (tags or {}).items()
            if run.data.tags.get(key) != value
        ],
    )
