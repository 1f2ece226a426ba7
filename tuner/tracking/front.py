"""The result of a study on its MLflow page: files, summary, and each trial's place."""

import hashlib
import json
import math
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tuner.analysis.results import Results
from tuner.analysis.study_tables import differences_table, failures_table, front_plain_table
from tuner.pictures.front_html import front_html
from tuner.pictures.parallel_coordinates import parallel_html
from tuner.records import TrialRecord
from tuner.reporting.growth import Moment, growth
from tuner.tracking.client import Metric, Run, RunTag, is_server
from tuner.tracking.note import Findings, write_note
from tuner.tracking.pages import run_url
from tuner.tracking.run_links import RunLinks
from tuner.tracking.study import BATCH, MlflowStudy
from tuner.tracking.views import searched_weights, shown_name

FRONT_COLOUR, OTHER_COLOUR = "#d62728", "#b0b0b0"
TABLES = {
    "front/table.json": front_plain_table,
    "differences/table.json": differences_table,
    "failures/table.json": failures_table,
}
LINKED = {"front/front.html": front_html, "front/parallel.html": parallel_html}
"""Pages whose points lead to their runs: made here, where the runs are known."""

VOLUME = "hypervolume"


@dataclass(frozen=True)
class Publication:
    """What is known at the end of a study, or at any point before.

    Attributes:
        files: the folder of tables and pictures; uploaded as ``front/``, with the study's
            ``report.html`` beside it.
        results: the study.
        final: whether the front is not about to change; its configs are uploaded only then, as
            nothing can be taken away again.
    """

    files: Path
    results: Results
    final: bool = True


@dataclass
class Sent:
    """What MLflow already has of a study's result, as far as we know.

    Attributes:
        digests: of the files, by the path under which they are.
        moments: numbers of complete trials whose hypervolume is there; None: not asked yet.
    """

    digests: dict[str, bytes] = field(default_factory=dict)
    moments: set[int] | None = None


def publish(study: MlflowStudy, publication: Publication, sent: Sent) -> None:
    """Bring the study's page up to date; may be called again whenever something changed."""
    results = publication.results
    trials = {int(run.data.tags["tuner.trial"]): run for run in study.children()}
    runs = {number: run.info.run_id for number, run in trials.items()}
    _upload(study, publication, _links(study, runs), sent)
    _log_growth(study, growth(results), sent)
    _log_summary(study, results)
    places = _places(results)
    for number, run in trials.items():
        on_front = results.ranks.get(number) == 0
        tags = {
            "tuner.front": "true" if on_front else "false",
            "mlflow.runColor": FRONT_COLOUR if on_front else OTHER_COLOUR,
        }
        _log(study, run, metrics=places.get(number, {}), tags=tags)
    write_note(study, Findings(results, runs, sent.digests))


def _links(study: MlflowStudy, runs: Mapping[int, str]) -> RunLinks:
    addresses = {n: run_url("", study.experiment_id, run_id) for n, run_id in runs.items()}
    uri = study.client.tracking_uri
    if not is_server(uri):
        return RunLinks(addresses)
    base = f"{uri.rstrip('/')}/"
    return RunLinks(addresses, base, urlsplit(base).path)


def _upload(study: MlflowStudy, publication: Publication, links: RunLinks, sent: Sent) -> None:
    """Send what differs from what was sent before."""
    for path, content in _files(study, publication, links):
        digest = hashlib.sha256(content).digest()
        if sent.digests.get(path) != digest:
            _send(study, path, content)
            sent.digests[path] = digest
    shown = json.dumps([{"path": path, "type": "table"} for path in TABLES])
    study.client.set_tag(study.run_id, "mlflow.loggedArtifacts", shown)


def _files(
    study: MlflowStudy, publication: Publication, links: RunLinks
) -> Iterator[tuple[str, bytes]]:
    """Paths among the run's artifacts, and what is to be there."""
    folder, results = publication.files, publication.results
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = f"front/{path.relative_to(folder).as_posix()}"
        settled = publication.final or path.parent == folder
        if settled and name not in LINKED and not path.name.startswith("."):
            yield name, path.read_bytes()
    report = study.directory / "report.html"
    if report.is_file():
        yield "report.html", report.read_bytes()
    for name, page in LINKED.items():
        yield name, page(results, links).encode()
    for name, table in TABLES.items():
        yield name, json.dumps(table(results).as_json(), allow_nan=False).encode()


def _send(study: MlflowStudy, path: str, content: bytes) -> None:
    # log_table would append to a table that is there, log_text takes no pictures
    folder, _, name = path.rpartition("/")
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / name
        file.write_bytes(content)
        study.client.log_artifact(study.run_id, str(file), folder or None)


def _log_growth(study: MlflowStudy, moments: list[Moment], sent: Sent) -> None:
    """Log moments that are not there; the step is the number of complete trials."""
    if sent.moments is None:
        history = study.client.get_metric_history(study.run_id, VOLUME) if moments else []
        sent.moments = {point.step for point in history}
    new = [moment for moment in moments if moment.complete not in sent.moments]
    points = [point for moment in new for point in _points(study, moment)]
    for start in range(0, len(points), BATCH):
        study.client.log_batch(study.run_id, metrics=points[start : start + BATCH])
    sent.moments |= {moment.complete for moment in new}


def _points(study: MlflowStudy, moment: Moment) -> list[Metric]:
    hours = "cost/gpu_hours" if study.study.resources.gpus else "cost/trial_hours"
    when = int(1000 * moment.when.timestamp())
    values = {VOLUME: moment.hypervolume, **moment.bests}
    values |= {hours: moment.hours} if moment.hours else {}
    return [Metric(name, value, when, moment.complete) for name, value in values.items()]


def _log_summary(study: MlflowStudy, results: Results) -> None:
    parent = study.client.get_run(study.run_id)
    grown = (VOLUME, "best/")  # has points of its own
    summary = {n: value for n, value in results.summary.items() if not n.startswith(grown)}
    _log(study, parent, metrics=summary, step=int(summary["trials/complete"]))


def _places(results: Results) -> dict[int, dict[str, float]]:
    """By trial its config's rank, objectives over its seeds, and weights for linear axes."""
    weights = searched_weights(results.study)
    offs = {symbol: _off(results, symbol) for symbol in weights}
    return {
        record.number: {
            "pareto/rank": float(results.ranks[record.number]),
            **_means(results, record),
            **{f"log10/{s}": _log10(record.weights[s], offs[s]) for s in weights},
        }
        for record in results.complete
    }


def _means(results: Results, record: TrialRecord) -> dict[str, float]:
    if results.study.replicates == 1:
        return {}  # as they are among the trial's own
    means = {shown_name(results.study, m): record.values[m] for m in results.metrics}
    return {**means, "mean/seeds": float(record.replicates)}


def _off(results: Results, symbol: str) -> float:
    """Where a weight of 0 lies: half a decade below the smallest."""
    positive = [r.weights[symbol] for r in results.complete if r.weights[symbol] > 0]
    return math.log10(min(positive, default=1.0)) - 0.5


def _log10(value: float, off: float) -> float:
    return math.log10(value) if value > 0 else off


def _log(
    study: MlflowStudy,
    run: Run,
    *,
    metrics: Mapping[str, float],
    tags: Mapping[str, str] | None = None,
    step: int = 0,
) -> None:
    """Log what differs from what the run holds, in one request or none."""
    now = int(time.time() * 1000)
    study.client.log_batch(
        run.info.run_id,
        metrics=[
            Metric(key, float(value), timestamp=now, step=step)
            for key, value in metrics.items()
            if run.data.metrics.get(key) != value
        ],
        tags=[
            RunTag(key, value)
            for key, value in (tags or {}).items()
            if run.data.tags.get(key) != value
        ],
    )
