"""Making a student's package: programs, what they were checked against, how fast they are."""

import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from trainables.attacks import margin_objective
from trainables.data import Data, Split, load_data
from trainables.evaluation import adversarial_images
from trainables.measuring.undisturbed import undisturbed
from trainables.models import Network
from trainables.programs.agreement import Agreement, agreement, answers
from trainables.programs.packaging import (
    NEEDED_FOR_ONNX,
    Classify,
    program_of,
    write_onnx,
    write_pt2,
)
from trainables.programs.timing import Timing, one_thread, timed
from trainables.validation import VALIDATION_SEED
from tuner.evaluation.target import Target
from tuner.exporting.made_with import versions
from tuner.exporting.provenance import Provenance, provenance_of, read_provenance
from tuner.json_files import read_json
from tuner.records import TrialState
from tuner.showing import results_of
from tuner.storage.directory import StudyDirectory
from tuner.student_files import NAMES
from tuner.verification.measured import load_verification

FORMATS = ("onnx", "pt2")
CHECKED = 256
"""Images of the test split that a program is checked on; fewer where there are fewer."""

BATCHES = (1, 64)
"""Images per pass whose time is measured."""

EAGER = "PyTorch, eager"
RUNTIMES = {"onnx": "ONNX Runtime", "pt2": "torch.export"}


@dataclass(frozen=True)
class Package:
    """What was made and what was found; mappings are by file name.

    Attributes:
        target: the student.
        data: its data set.
        split: the images checked on.
        network: what the student itself comes to on them.
        agreements: of each program.
        timings: by runtime, then by images per pass.
        sizes: in bytes.
        provenance: where the student's config comes from; None where nothing is known.
        evaluation: what ``tuner evaluate`` wrote about these weights; None if it did not run.
    """

    target: Target
    data: Data
    split: Split
    network: Agreement
    provenance: Provenance | None
    evaluation: Mapping[str, Any] | None
    agreements: dict[str, Agreement] = field(default_factory=dict)
    timings: dict[str, dict[int, Timing]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def wrong(self) -> dict[str, Agreement]:
        """Programs that predict another class than the student somewhere."""
        return {name: found for name, found in self.agreements.items() if not found.holds}

    @property
    def versions(self) -> dict[str, str]:
        """What it was made with, and what ONNX needs where there is ONNX."""
        extra = NEEDED_FOR_ONNX if "student.onnx" in self.agreements else ()
        return {**versions(), **{name: version(name) for name in extra}}


def make_package(
    target: Target, formats: Sequence[str], folder: Path, tell: Callable[[str], None]
) -> Package:
    """Export a student, check every program against it, and time them on one CPU thread.

    Args:
        target: the student.
        formats: among ``FORMATS``.
        folder: where ``student.onnx`` and ``student.pt2`` are written.
        tell: shows what is being done.

    Raises:
        ValueError: if a network or an operation of it cannot be exported.
    """
    network = on_cpu(target.network)
    data = load_data(target.config.data, torch.device("cpu"))
    split = data.test[:CHECKED]
    folder.mkdir(parents=True, exist_ok=True)
    with one_thread():
        tell("attacking the student")
        attacked = _attacked(target, network, split)
        said = answers(_eager(network), split.images, attacked)
        made = Package(target, data, split, agreement(said, said, split), *_known(target.path))
        made.timings[EAGER] = _timings(_eager(network), data)
        tell("exporting the student")
        program = program_of(network, data.image_shape)
        for form in formats:
            path = folder / f"student.{form}"
            tell(f"writing and checking {path.name}")
            classify = _written(program, path, made)
            found = answers(classify, split.images, attacked)
            made.agreements[path.name] = agreement(said, found, split)
            made.sizes[path.name] = path.stat().st_size
            made.timings[RUNTIMES[form]] = _timings(classify, data)
    return made


def on_cpu(network: Network) -> Network:
    """A copy on the CPU, in eval mode, laid out as programs take it."""
    return copy.deepcopy(network).cpu().to(memory_format=torch.contiguous_format).eval()


def _attacked(target: Target, network: Network, split: Split) -> torch.Tensor:
    config = target.config
    threat, attack = config.threat, config.validation.attack
    with undisturbed(network):  # not around an export, which cannot look at its flags
        return adversarial_images(
            network, split, margin_objective, threat, attack, seed=VALIDATION_SEED
        )


def _eager(network: Network) -> Classify:
    def classify(images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            logits: torch.Tensor = network(images)
        return logits

    return classify


def _written(program: ExportedProgram, path: Path, made: Package) -> Classify:
    """The program in a file, as it is computed from there."""
    if path.suffix == ".onnx":
        return write_onnx(program, path, facts=_facts(made))
    return write_pt2(program, path)


def _facts(made: Package) -> dict[str, str]:
    """What the ONNX file says of itself."""
    return {
        "architecture": made.target.architecture,
        "data": made.target.config.data.name,
        "input": "float32 images (batch, channels, height, width) in [0, 1]",
        "output": "logits (batch, classes)",
        "config": json.dumps(made.target.config.model_dump(mode="json")),
    }


def _timings(classify: Classify, data: Data) -> dict[int, Timing]:
    grey = {count: torch.full((count, *data.image_shape), 0.5) for count in BATCHES}
    return {count: timed(classify, images) for count, images in grey.items()}


def _known(path: Path) -> tuple[Provenance | None, Mapping[str, Any] | None]:
    """What is known of a checkpoint: where it comes from, what was measured."""
    return _provenance(path), _evaluation(path)


def _provenance(path: Path) -> Provenance | None:
    """As the config beside the checkpoint says, or the study that the checkpoint is a trial of."""
    beside = path.with_name("config.yaml")
    told = read_provenance(beside) if beside.is_file() else None
    study = StudyDirectory(path.resolve().parent.parent.parent)
    if told is not None or not (study.config.is_file() and path.parent.name.isdigit()):
        return told
    results, number = results_of(study), int(path.parent.name)
    records = (record for record in results.records if record.number == number)
    complete = [record for record in records if record.state == TrialState.complete]
    found = load_verification(study.path)
    return provenance_of(results, complete[0], found) if complete else None


def _evaluation(path: Path) -> Mapping[str, Any] | None:
    """What ``tuner evaluate`` found of the student in this folder, if it is still this one."""
    beside = [path.with_name(name) for name in {*NAMES, path.name}]
    known = {sha256(one) for one in beside if one.is_file()}
    for found in sorted(path.parent.glob("evaluation/**/robustness.json")):
        content = read_json(found)
        if content.get("checkpoint_sha256") in known:
            return content
    return None


def sha256(path: Path) -> str:
    """Of a file's content, in hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
