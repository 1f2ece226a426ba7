"""What has to hold at the end of the demonstration."""

from collections.abc import Iterator
from pathlib import Path

import mlflow

from benchmarks.cluster.team import Team
from benchmarks.crashes.agreement import disagreements
from benchmarks.services.leaks import leaks
from benchmarks.services.tracking import ARTIFACTS
from tuner.records import TrialState


def findings(team: Team, trials: int) -> list[str]:
    """Everything that is not as it was promised, in words."""
    return [*_numbers(team, trials), *disagreements(team.study, uri=team.mlflow.uri), *_kept(team)]


def _numbers(team: Team, trials: int) -> Iterator[str]:
    records = team.records()
    made_good = sum(record.retries is not None for record in records)
    if len(records) - made_good != trials:
        yield f"{len(records)} trials, {made_good} of them to make good a lost one, not {trials}"


def _kept(team: Team) -> Iterator[str]:
    """Weights and pages lie in the bucket and are served; no secret lies anywhere."""
    objects = team.bucket.sizes(ARTIFACTS)
    complete = [r.number for r in team.records() if r.state == TrialState.complete]
    weights = [key for key, size in objects.items() if key.endswith("student.safetensors") and size]
    if len(weights) != len(complete):
        yield f"the bucket has weights of {len(weights)} trials, {len(complete)} are complete"
    if not _served(team).startswith("<!doctype html"):
        yield "MLflow does not serve the page of the front"
    yield from leaks(
        {"password": team.postgres.password, "key of the bucket": team.bucket.secret},
        [team.study.folder, team.nodes.folder],
        {
            "PostgreSQL": team.postgres.dump("mlflow") + team.postgres.dump("optuna"),
            "MLflow's log": team.mlflow.log,
            "the bucket": " ".join(team.bucket.texts(ARTIFACTS)),
        },
    )


def _served(team: Team) -> str:
    """The front's page, as MLflow gives it to a browser."""
    client = mlflow.MlflowClient(team.mlflow.uri)
    experiment = client.get_experiment_by_name(team.study.name)
    runs = client.search_runs([experiment.experiment_id]) if experiment else []
    (parent,) = [run for run in runs if "tuner.trial" not in run.data.tags]
    path = client.download_artifacts(parent.info.run_id, "front/front.html")
    return Path(path).read_text(encoding="utf-8").lower()
