"""Members of the front as logged models: students that anyone loads, with their numbers."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.analysis.results import Results
from tuner.evaluation.target import Foreign, Target, find_target
from tuner.quantities import attack_name
from tuner.records import TrialRecord
from tuner.storage.directory import StudyDirectory
from tuner.tracking import data as mlflow_data
from tuner.tracking import records as mlflow_records
from tuner.tracking.client import LoggedModel, LoggedModelOutput, Metric
from tuner.tracking.seeds import write_seeds
from tuner.tracking.study import MlflowStudy
from tuner.tracking.uploads import refusals_told_from_outages

if TYPE_CHECKING:
    from mlflow.models import Model

logger = logging.getLogger(__name__)

TAG = "tuner.model"
"""Of a run whose student is a logged model: the model's id."""

FRONT = "tuner.front"
"""Of a model whose trial is on the front now."""

MODEL_TYPE = "robust-classifier"

Work = Callable[[MlflowStudy], None]


def work_of(results: Results) -> Iterator[tuple[int, Work]]:
    """What is to be done when a study has a front, one piece per model; -1 is what all share."""
    own = {record.number: record for record in results.records}
    front = {record.number for record in results.front}
    yield -1, lambda study: write_seeds(study, results.complete)
    for number in sorted(front):
        yield number, lambda study, record=own[number]: log_model(study, record)  # type: ignore[misc]
    yield max(own, default=0) + 1, lambda study: mark_front(study, front)


def log_model(study: MlflowStudy, record: TrialRecord) -> None:
    """Log the student of a complete trial as a model of MLflow, once.

    A student that cannot be loaded or exported is no matter of MLflow's: a line in the log tells.

    Raises:
        MlflowException, OSError: if MLflow is away.
        ArtifactsRefusedError: if it does not take files.
    """
    trial = study.trial(record.number)
    if trial is None or TAG in trial.tags:
        return
    ready = _left_by_another_driver(study, trial.run_id)
    if ready is None:
        try:
            target = find_target(_folder(study, record), Foreign())
        except (ValueError, OSError) as error:
            logger.warning("trial %d is not logged as a model: %s", record.number, error)
            return
        ready = _log(study, record, trial.run_id, target)
    if ready is not None:
        study.tag(trial.run_id, {TAG: ready})
        trial.tags[TAG] = ready


def _folder(study: MlflowStudy, record: TrialRecord) -> Path:
    return StudyDirectory(study.directory).trial_file(record.number, "checkpoint.pt").parent


def _left_by_another_driver(study: MlflowStudy, run_id: str) -> str | None:
    """Id of a model that is whole though its run does not say so; what is half made goes."""
    found = study.client.search_logged_models([study.experiment_id], f"source_run_id = '{run_id}'")
    for model in found:
        if model.status == "READY":
            return str(model.model_id)
        study.client.delete_logged_model(model.model_id)
    return None


def _log(study: MlflowStudy, record: TrialRecord, run_id: str, target: Target) -> str | None:
    from mlflow.models import Model  # seconds, in the thread that has them

    client = study.client
    logged = client.create_logged_model(
        study.experiment_id,
        name=f"{study.study.name}-trial-{record.number}".replace(".", "-"),
        source_run_id=run_id,
        tags=_tags(study, record),
        params=_params(record),
        model_type=MODEL_TYPE,
    )
    own, uuid = str(logged.model_id), str(logged.model_id)
    description = Model(
        artifact_path=logged.artifact_location, run_id=run_id, model_uuid=uuid, model_id=own
    )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        if not _save(target, place, description, record):
            client.finalize_logged_model(own, "FAILED")
            return None
        with refusals_told_from_outages(study, f"the model of trial {record.number}"):
            client.log_model_artifacts(own, str(place))
    client.log_outputs(run_id, [LoggedModelOutput(own, step=record.config["epochs"])])
    client.log_batch(run_id, metrics=_metrics(record, own))
    client.finalize_logged_model(own, "READY")
    return own


def _save(target: Target, place: Path, description: "Model", record: TrialRecord) -> bool:
    from trainables.data import load_data
    from trainables.machine.hardware import pick_device
    from tuner.tracking.pytorch import save_student

    try:
        shape = load_data(target.config.data, pick_device("cpu")).image_shape
        save_student(target.network, shape, place, description)
    except Exception as error:  # an exporter may raise anything at an architecture
        logger.warning("trial %d cannot be exported as a model: %s", record.number, error)
        return False
    return True


def _tags(study: MlflowStudy, record: TrialRecord) -> dict[str, str]:
    trial = study.trial(record.number)
    commit = "" if trial is None else trial.tags.get("mlflow.source.git.commit", "")
    named = {
        "tuner.study": study.study.name,
        "tuner.study_run": study.run_id,
        "tuner.trial": str(record.number),
        "tuner.pair": record.pair,
        "tuner.attack": attack_name(record.config),
        "tuner.input": "float32 (batch, channels, height, width) in [0, 1]; gives logits",
        "mlflow.source.git.commit": commit,
        FRONT: "true",
    }
    return {key: tag for key, tag in named.items() if tag}


def _params(record: TrialRecord) -> dict[str, str]:
    """What the search chose, and what people look for; the run has the whole config."""
    whole = mlflow_records.params(record)
    wanted = {*record.params, "teacher", "student", *record.weights}
    wanted |= {"method/name", "data/name", "threat/norm", "threat/epsilon", "epochs", "seed"}
    return {key: value for key, value in whole.items() if key in wanted}


def _metrics(record: TrialRecord, model_id: str) -> list[Metric]:
    """The trial's final metrics, of this model on the validation split."""
    _, validation = mlflow_data.inputs(record.config)
    when, data = record.metrics, validation.dataset
    return [
        Metric(
            key,
            float(value),
            timestamp=int(when["timestamp"]),
            step=int(when["epoch"]),
            model_id=model_id,
            dataset_name=data.name,
            dataset_digest=data.digest,
        )
        for key, value in mlflow_records.final(record).items()
    ]


def models(study: MlflowStudy) -> Iterator[LoggedModel]:
    """All whole models of the study."""
    token, condition = None, f"tags.`tuner.study_run` = '{study.run_id}'"
    while True:
        page = study.client.search_logged_models([study.experiment_id], condition, page_token=token)
        yield from (model for model in page if model.status == "READY")
        token = page.token
        if not token:
            return


def mark_front(study: MlflowStudy, front: set[int]) -> None:
    """Let the models of the front say so, and no others; what has left it stays a model."""
    for model in models(study):
        is_member, says_so = int(model.tags["tuner.trial"]) in front, FRONT in model.tags
        if is_member and not says_so:
            study.client.set_logged_model_tags(model.model_id, {FRONT: "true"})
        if says_so and not is_member:
            study.client.delete_logged_model_tag(model.model_id, FRONT)
