"""Teachers: trained or loaded once, stored by the hash of what made them, shared by all trials."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from trainables.attacks import margin_objective
from trainables.config import TeacherConfig, TrialConfig
from trainables.data import load_data
from trainables.distillation import VALIDATION_SEED, Distillation, build_network
from trainables.evaluation import clean_accuracy, robust_accuracy
from trainables.hardware import pick_device
from trainables.models import Network
from trainables.models.checkpoints import load_weights, read_checkpoint, save_atomically


class PreparedTeacher(NamedTuple):
    """A teacher on disk and what it reaches on the validation split."""

    path: Path
    clean_accuracy: float
    robust_accuracy: float
    trained_now: bool


def teacher_path(config: TrialConfig, directory: Path) -> Path:
    """Where the trial's teacher is stored, named by the hash of all that made it.

    Raises:
        ValueError: if the trial has no teacher, or its checkpoint does not exist.
    """
    teacher = _teacher_of(config)
    recipe = config.teacher_trial().model_dump(mode="json")
    if teacher.checkpoint is not None:
        read_checkpoint(teacher.checkpoint)
        recipe["checkpoint"] = hashlib.sha256(teacher.checkpoint.read_bytes()).hexdigest()
    identity = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
    return directory / f"{teacher.architecture}-{identity}.pt"


def prepare_teacher(config: TrialConfig, directory: Path) -> PreparedTeacher:
    """Make sure that the trial's teacher lies in ``directory``.

    Loads the checkpoint that the config names, or trains as its recipe says; does neither if it was
    done before.

    Raises:
        ValueError: if the checkpoint cannot be used, or its measured accuracy is not what the
            config promises.
    """
    path = teacher_path(config, directory)
    trained_now = not path.is_file()
    if trained_now:
        network = _loaded(config) if _teacher_of(config).checkpoint else _trained(config)
        clean, robust = _measure(network, config)
        _refuse_other_than_promised(_teacher_of(config), clean)
        measured = {"clean_accuracy": clean, "robust_accuracy": robust}
        content = {
            "config": config.teacher_trial().model_dump(mode="json"),
            "model": network.model.state_dict(),
            "measured": measured,
        }
        save_atomically(content, path)
    measured = read_checkpoint(path)["measured"]
    return PreparedTeacher(
        path, measured["clean_accuracy"], measured["robust_accuracy"], trained_now
    )


def load_teacher(config: TrialConfig, directory: Path) -> Network | None:
    """The trial's teacher, frozen, in eval mode, on the trial's device; prepared if it is not yet.

    None where the loss asks no teacher.
    """
    return _load(config, directory) if config.needs_teacher else None


def load_teachers(config: TrialConfig, directory: Path) -> tuple[Network | None, Network | None]:
    """The trial's teacher and its clean teacher; each None where the loss does not ask it."""
    clean = None
    if config.method.needs_clean_teacher:
        clean = _load(config.clean_teacher_trial(), directory)
    return load_teacher(config, directory), clean


def _load(config: TrialConfig, directory: Path) -> Network:
    path = prepare_teacher(config, directory).path
    return _cached(config.teacher_trial(), _teacher_of(config).architecture, path)


@lru_cache(maxsize=4)  # an actor that serves many trials keeps its teachers on the device
def _cached(config: TrialConfig, architecture: str, path: Path) -> Network:
    network = build_network(config, architecture, config.student.normalize)
    load_weights(network, path, architecture)
    return network.eval().requires_grad_(False)


def _teacher_of(config: TrialConfig) -> TeacherConfig:
    if config.teacher is None:
        raise ValueError("this trial has no teacher")
    return config.teacher


def _loaded(config: TrialConfig) -> Network:
    teacher = _teacher_of(config)
    assert teacher.checkpoint is not None
    network = build_network(config, teacher.architecture, teacher.normalize)
    load_weights(network, teacher.checkpoint, teacher.architecture)
    return network


def _trained(config: TrialConfig) -> Network:
    distillation = Distillation.build(config.teacher_trial())
    while not distillation.finished:
        distillation.train_epoch()
    return distillation.student


def _measure(network: Network, config: TrialConfig) -> tuple[float, float]:
    split = load_data(config.data, pick_device(config.hardware.device)).validation
    attack = config.teacher_trial().validation.attack  # the same for every trial
    robust = robust_accuracy(
        network, split, margin_objective, config.threat, attack, seed=VALIDATION_SEED
    )
    return clean_accuracy(network, split), robust


def _refuse_other_than_promised(teacher: TeacherConfig, measured: float) -> None:
    promised = teacher.clean_accuracy
    if promised is not None and abs(measured - promised) > teacher.tolerance:
        raise ValueError(
            f"teacher {teacher.checkpoint or teacher.architecture} reaches {measured:.3f} clean "
            f"accuracy, but clean_accuracy promises {promised:.3f} (tolerance "
            f"{teacher.tolerance}); check normalisation and data"
        )
