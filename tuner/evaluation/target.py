"""Finding what ``tuner evaluate`` measures: a student or teacher of ours, or foreign weights."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.config import TrialConfig
from trainables.distillation import build_network
from trainables.models import Network
from trainables.models.checkpoints import load_weights
from trainables.teachers import prepared_network
from trainables.teachers.stored import members_in
from tuner.student_files import file_in, load_student, read_student, seeds_in
from tuner.study_file import load_trial, trial_in

TRAINED = Path("runs/train")
"""Where ``tuner train`` puts the student of a config."""

TEACHER_FILE = re.compile(r"(?P<architecture>.+)-[0-9a-f]{16}")
"""How prepared teachers are named."""


@dataclass(frozen=True)
class Foreign:
    """What a file that was not trained here does not say."""

    architecture: str | None = None
    data: str | None = None
    normalize: bool | None = None

    def given(self) -> bool:
        """Whether the user said any of it."""
        return any(value is not None for value in (self.architecture, self.data, self.normalize))


@dataclass(frozen=True)
class Target:
    """A network ready to be measured.

    Attributes:
        path: the checkpoint.
        config: where data, threat model, architecture and device are written.
        network: on its device.
        notes: what a reader must know: what was assumed, what is unfinished.
    """

    path: Path
    config: TrialConfig
    network: Network
    notes: tuple[str, ...] = ()

    @property
    def architecture(self) -> str:
        """Of the network."""
        return self.config.student.architecture


def find_target(place: Path, foreign: Foreign) -> Target:
    """Load what lies at ``place``.

    Args:
        place: a checkpoint or student.safetensors, a folder that holds one, or a trial's config,
            whose student is then the one beside it, or that ``tuner train`` left.
        foreign: how to read weights that were not trained here.

    Raises:
        ValueError: if nothing can be measured there; says what to do.
    """
    if place.suffix in {".yaml", ".yml"}:
        return _from_config(place, foreign)
    path = _in_folder(place) if place.is_dir() else place
    state = read_student(path)
    if "members" in state:
        raise ValueError(
            f"{path} is an ensemble of teachers; evaluate them one by one: "
            f"{', '.join(one.name for one in members_in(path, state))}"
        )
    if "config" in state:
        if foreign.given():
            raise ValueError(
                f"checkpoint {path} knows its own architecture, data and normalisation; leave "
                "--architecture, --data and --normalize out"
            )
        return _ours(path, state, trial_in(state["config"], path))
    return _foreign(path, state, foreign)


def _in_folder(folder: Path) -> Path:
    if (folder / "study.yaml").is_file():
        raise ValueError(
            f"{folder} is a study; name one of its trials, such as {folder / 'trials' / '0000'}"
        )
    found = file_in(folder)
    if found is None:
        seeds = seeds_in(folder)
        which = f"one of its seeds, such as {seeds[0]}" if seeds else "a checkpoint or its folder"
        raise ValueError(
            f"folder {folder} holds no checkpoint.pt and no student.safetensors; name {which}"
        )
    return found


def _from_config(place: Path, foreign: Foreign) -> Target:
    config = load_trial(place)
    if place.name == "config.yaml" and (beside := file_in(place.parent)):
        return find_target(beside, foreign)
    trained = TRAINED / place.stem
    path = _in_folder(trained) if seeds_in(trained) else file_in(trained)
    path = path or trained / "checkpoint.pt"
    if not path.is_file():
        raise ValueError(
            f"the student of {place} is not trained yet ({path} does not exist); train it with: "
            f"tuner train {place}"
        )
    target = find_target(path, foreign)
    if target.config.model_dump(mode="json") != config.model_dump(mode="json"):
        raise ValueError(
            f"{path} was trained from another config than {place} holds now; train it with: "
            f"tuner train {place} --output OTHER, then evaluate OTHER"
        )
    return target


def _ours(path: Path, state: Mapping[str, Any], config: TrialConfig) -> Target:
    weights = state.get("result", state.get("student"))
    if weights is None:
        network = prepared_network(path, _on_this_machine(config))
    else:
        network = _build(config)
        load_student(network, weights, path)
    epoch = state.get("epoch")
    unfinished = isinstance(epoch, int) and epoch < config.epochs and "result" not in state
    notes = (f"trained for {epoch} of {config.epochs} epochs so far",) if unfinished else ()
    return Target(path, config, network, notes)


def _foreign(path: Path, state: Mapping[str, Any], foreign: Foreign) -> Target:
    named = TEACHER_FILE.fullmatch(path.stem) if "measured" in state else None
    architecture = foreign.architecture or (named["architecture"] if named else None)
    if architecture is None:
        raise ValueError(
            f"checkpoint {path} holds no student and its config; name what it is with "
            "--architecture NAME (and --data NAME, --no-normalize)"
        )
    normalize = foreign.normalize is not False
    content: dict[str, Any] = {
        "student": {"architecture": architecture, "normalize": normalize},
        "data": {} if foreign.data is None else {"name": foreign.data},
    }
    config = trial_in(content, path)
    network = _build(config)
    load_weights(network, path, architecture)
    how = "standardised inside" if normalize else "as they are"
    note = f"read as {architecture} on {config.data.name}, images {how}; the file does not say"
    return Target(path, config, network, (note,))


def _build(config: TrialConfig) -> Network:
    config = _on_this_machine(config)
    return build_network(config, config.student.architecture, config.student.normalize)


def _on_this_machine(config: TrialConfig) -> TrialConfig:
    """On the config's device; on the CPU if the GPU that it was trained on is not here."""
    if config.hardware.device != "cuda":
        return config
    hardware = config.hardware.model_copy(update={"device": "auto"})
    return config.model_copy(update={"hardware": hardware})
