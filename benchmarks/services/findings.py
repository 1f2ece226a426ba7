"""What has to hold when a study on a team's services has ended."""

import urllib.request
from collections.abc import Iterator

import mlflow

from benchmarks.crashes.agreement import disagreements
from benchmarks.crashes.driver import Victim
from benchmarks.services.leaks import leaks
from benchmarks.services.together import Services
from benchmarks.services.tracking import ARTIFACTS
from tuner.records import TrialState


def findings(services: Services, study: Victim) -> list[str]:
    """Everything that is not as it was promised, in words."""
    return [
        *disagreements(study, uri=services.mlflow.uri),
        *_kept(services, study),
        *leaks(services.secrets, [study.folder], services.texts()),
    ]


def _kept(services: Services, study: Victim) -> Iterator[str]:
    """Weights and pages lie in the bucket, and MLflow serves them."""
    complete = [r.number for r in study.records() if r.state == TrialState.complete]
    objects = services.bucket.sizes(ARTIFACTS)
    weights = [key for key, size in objects.items() if key.endswith("student.safetensors") and size]
    if len(weights) < len(complete):
        yield f"the bucket has weights of {len(weights)} trials, but {len(complete)} are complete"
    if not _page(services.mlflow.uri, study.name).startswith("<!doctype html"):
        yield "MLflow does not serve the page of the front"


def _page(uri: str, name: str) -> str:
    """The front's page, as MLflow gives it to a browser."""
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id]) if experiment else []
    parent = next((run for run in runs if "tuner.trial" not in run.data.tags), None)
    if parent is None:
        return ""
    place = f"{uri}/get-artifact?path=front/front.html&run_uuid={parent.info.run_id}"
    with urllib.request.urlopen(place, timeout=60) as answer:
        return str(answer.read().decode()).lower()
