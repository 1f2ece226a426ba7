"""Files among MLflow's artifacts: the study's own, and of complete trials weights and config."""

import hashlib
import logging
import shutil
import tempfile
from pathlib import Path

from safetensors.torch import save_file

from trainables.models.checkpoints import read_checkpoint
from tuner.storage.directory import StudyDirectory
from tuner.tracking.study import MlflowStudy
from tuner.tracking.uploads import refusals_told_from_outages

logger = logging.getLogger(__name__)

TAG = "tuner.checkpoint"
"""Of a run whose checkpoint is there: the first 16 hex digits of the weights' SHA-256."""

STUDY_TAG = "tuner.study_file"
"""Of a study's run whose ``study.yaml`` is there; likewise."""

FOLDER, WEIGHTS = "checkpoint", "student.safetensors"


def upload_checkpoint(study: MlflowStudy, number: int) -> None:
    """Put ``checkpoint/`` among the artifacts of a trial's run, unless it is there.

    A checkpoint that is missing or damaged is no matter of MLflow's: a line in the log tells.

    Raises:
        MlflowException, OSError: if MLflow is away.
        ArtifactsRefusedError: if it does not take files.
    """
    trial = study.trial(number)
    if trial is None or TAG in trial.tags:
        return
    checkpoint = StudyDirectory(study.directory).trial_file(number, "checkpoint.pt")
    folder = checkpoint.parent
    if not checkpoint.is_file():
        return
    with tempfile.TemporaryDirectory() as place:
        try:
            write_student(folder, Path(place))
        except (ValueError, OSError) as error:
            logger.warning("the checkpoint of trial %d is not in MLflow: %s", number, error)
            return
        digest = _digest(Path(place) / WEIGHTS)
        with refusals_told_from_outages(study, f"the checkpoint of trial {number}"):
            study.client.log_artifacts(trial.run_id, place, FOLDER)
    study.tag(trial.run_id, {TAG: digest})
    trial.tags[TAG] = digest


def upload_study_file(study: MlflowStudy) -> None:
    """Put ``study.yaml`` among the artifacts of the study's run, unless this one is there.

    Raises:
        MlflowException, OSError: if MLflow is away.
        ArtifactsRefusedError: if it does not take files.
    """
    path = StudyDirectory(study.directory).config
    if not path.is_file() or study.tags.get(STUDY_TAG) == (digest := _digest(path)):
        return
    with refusals_told_from_outages(study, path.name):
        study.client.log_artifact(study.run_id, str(path))
    study.tag(study.run_id, {STUDY_TAG: digest})
    study.tags[STUDY_TAG] = digest


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def write_student(trial: Path, place: Path) -> None:
    """Write ``student.safetensors``, the weights that were measured, and ``config.yaml``.

    Args:
        trial: a trial's directory, with ``checkpoint.pt`` and ``config.yaml``.
        place: an existing folder.

    Raises:
        ValueError: if the checkpoint cannot be read.
        OSError: if a file is missing or cannot be written.
    """
    state = read_checkpoint(trial / "checkpoint.pt")
    weights = state.get("result", state.get("student"))
    if weights is None:
        raise ValueError(f"{trial / 'checkpoint.pt'} holds no student")
    tensors = {name: values.contiguous() for name, values in weights.items()}
    save_file(tensors, place / WEIGHTS, metadata={"format": "pt"})
    shutil.copyfile(trial / "config.yaml", place / "config.yaml")
