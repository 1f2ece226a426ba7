"""Making sure that a trial's teachers lie on disk, and handing them out."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from trainables.attacks import margin_objective
from trainables.config import TrialConfig, identity
from trainables.data import load_data
from trainables.distillation import Distillation
from trainables.evaluation import clean_accuracy, robust_accuracy
from trainables.machine.hardware import pick_device
from trainables.models import Network
from trainables.models.student_file import write_teacher
from trainables.teachers.ensemble import ensemble
from trainables.teachers.gate import (
    promised_metric,
    promised_split,
    refuse_a_wrong_guess,
    refuse_guessing,
    refuse_other_than_promised,
)
from trainables.teachers.sources import (
    network_from_file,
    normalization_is_guessed,
    refuse_other_data,
    settle,
    teacher_of,
)
from trainables.teachers.stored import PreparedTeacher as PreparedTeacher
from trainables.teachers.stored import (
    description,
    measured_in,
    prepared,
    prepared_network,
    stored_place,
)
from trainables.validation import VALIDATION_SEED, ValidationConfig


def check_teacher(config: TrialConfig) -> None:
    """See that the trial's teacher can be had and fits its data, before anything is trained.

    Raises:
        ValueError: with what is wrong and what to do.
    """
    for member in _members(config):
        refuse_other_data(member, settle(member))


def teacher_path(config: TrialConfig, directory: Path) -> Path:
    """Where the trial's teacher is stored, named by the hash of all that made it.

    Raises:
        ValueError: if the trial has no teacher, or its checkpoint cannot be used.
    """
    if teacher_of(config).members:
        stems = [teacher_path(member, directory).stem for member in _members(config)]
        names = [f"{stem}.pt" for stem in stems]  # as files were called when hashes were agreed on
        return stored_place(directory, f"ensemble-{_hash({'members': names})}")
    source = settle(config)
    recipe = identity(source.as_trial(config).model_dump(mode="json"))
    if source.file is not None:
        recipe["checkpoint"] = source.file.sha256
        if not isinstance(source.standardising, str):
            recipe["normalization"] = source.standardising.model_dump(mode="json")
        if source.resolution is not None:
            recipe["resolution"] = source.resolution
    return stored_place(directory, f"{source.architecture}-{_hash(recipe)}")


def teacher_files(config: TrialConfig, directory: Path) -> list[Path]:
    """Every file that the trial's teacher is stored in: an ensemble's members come before it.

    Raises:
        ValueError: see :func:`teacher_path`.
    """
    members = [teacher_path(member, directory) for member in _members(config)]
    return list(dict.fromkeys([*members, teacher_path(config, directory)]))


def _hash(recipe: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]


def _members(config: TrialConfig) -> list[TrialConfig]:
    """The trial once for each of its teachers."""
    return [config.model_copy(update={"teacher": one}) for one in teacher_of(config).each()]


def prepare_teacher(config: TrialConfig, directory: Path) -> PreparedTeacher:
    """Make sure that the trial's teacher lies in ``directory``.

    Loads the checkpoint that the config names, or trains as its recipe says; does neither if it was
    done before. The members of an ensemble are prepared one by one.

    Raises:
        ValueError: if the checkpoint cannot be used or does not fit the trial's data, or its
            measured accuracy is not what the config promises.
    """
    check_teacher(config)
    path = teacher_path(config, directory)
    missing = not path.is_file()
    if missing:
        network, content = _made(config, directory)
        measured = _measure(network, config)
        _check_promise(config, network, measured)
        write_teacher({**content, "measured": measured}, path)
    elif teacher_of(config).clean_accuracy is not None:  # perhaps not promised when it was made
        _check_promise(config, prepared_network(path, config), measured_in(path))
    return prepared(path, now=missing)


def _made(config: TrialConfig, directory: Path) -> tuple[Network, dict[str, Any]]:
    """A network, and what is stored of it besides its accuracy."""
    if teacher_of(config).members:
        paths = [prepare_teacher(member, directory).path for member in _members(config)]
        members = [prepared_network(path, config) for path in paths]
        return ensemble(members), {"members": [path.name for path in paths]}
    source = settle(config)
    recipe = source.as_trial(config)
    network = network_from_file(config) if source.file else _trained(recipe)
    content = {"config": recipe.model_dump(mode="json"), "model": network.model.state_dict()}
    return network, {**content, **description(source)}


def _trained(recipe: TrialConfig) -> Network:
    distillation = Distillation.build(recipe)
    while not distillation.finished:
        distillation.train_epoch()
    return distillation.student


def _measure(network: Network, config: TrialConfig) -> dict[str, float]:
    data = load_data(config.data, pick_device(config.hardware.device))
    attack = ValidationConfig().attack  # the same for every trial
    robust = robust_accuracy(
        network, data.validation, margin_objective, config.threat, attack, seed=VALIDATION_SEED
    )
    clean = clean_accuracy(network, data.validation)
    return {"clean_accuracy": clean, "robust_accuracy": robust}


def _check_promise(config: TrialConfig, network: Network, measured: dict[str, float]) -> None:
    """Refuse a teacher that is not as promised, or standardised by a bad guess.

    What had to be measured for it is added.
    """
    teacher, data = teacher_of(config), load_data(config.data, network.mean.device)
    if teacher.clean_accuracy is None:
        _refuse_a_foreign_file(config, network, measured["clean_accuracy"])
        return
    metric = promised_metric(teacher)
    if metric not in measured:
        measured[metric] = clean_accuracy(network, promised_split(teacher, data))
    refuse_other_than_promised(teacher, measured[metric], network, data)


def _refuse_a_foreign_file(config: TrialConfig, network: Network, clean: float) -> None:
    teacher, data = teacher_of(config), load_data(config.data, network.mean.device)
    if teacher.members:
        return
    source = settle(config)
    if normalization_is_guessed(config, source):
        refuse_a_wrong_guess(teacher, clean, network, data)
    if source.file is not None:
        refuse_guessing(teacher, clean, data)


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
    return _cached(TrialConfig(data=config.data, hardware=config.hardware), path)


@lru_cache(maxsize=4)  # an actor that serves many trials keeps its teachers on the device
def _cached(place: TrialConfig, path: Path) -> Network:
    return prepared_network(path, place)


def forget_teachers() -> None:
    """Let go of the teachers that are kept on the device for the trials to come."""
    _cached.cache_clear()
