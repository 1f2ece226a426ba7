"""Everything that is measured of one checkpoint and its teacher."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from trainables.config import TrialConfig
from trainables.data import Split, load_data
from trainables.diagnostics.bound import MeasuredBound, measured_bound
from trainables.diagnostics.gradients import gradient_gap, zero_gradients
from trainables.diagnostics.likeness import FeatureDistance, feature_distance
from trainables.diagnostics.linearity import local_linearity
from trainables.diagnostics.sweep import EpsilonRow, attacked_at, gaps_over_epsilon
from trainables.diagnostics.taylor import taylor_remainder_ratio
from trainables.distillation import VALIDATION_SEED, build_network
from trainables.machine.hardware import pick_device
from trainables.measuring.smoothing import Certificates, SmoothingConfig, certify
from trainables.models import Network
from trainables.teachers import network_from_file, prepared_network, teacher_path
from tuner.student_files import file_in, load_student, read_student
from tuner.study_file import trial_in

FACTORS = (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5)
"""Radii as factors of the threat's epsilon, unless others are asked for."""

LINEARITY_IMAGES, LINEARITY_STEPS = 100, 20  # of ascents that cost two passes and a gradient a step


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        teacher: ``auto`` (the config's own), ``none``, or the path of a checkpoint.
        teachers: folder of prepared teachers; None looks for it around the checkpoint.
        epsilons: radii of the gaps, in the units of images in [0, 1]; None: see ``FACTORS``.
        split: ``validation`` or ``test``.
        images: the first so many images of the split.
        smoothing: how to certify; None does not.
    """

    teacher: str = "auto"
    teachers: Path | None = None
    epsilons: tuple[float, ...] | None = None
    split: str = "validation"
    images: int = 500
    smoothing: SmoothingConfig | None = None


@dataclass(frozen=True)
class Student:
    """A student that was trained here."""

    path: Path
    config: TrialConfig
    network: Network


@dataclass(frozen=True)
class Diagnosis:
    """What was found; mappings are by the network's name, the student first.

    Attributes:
        student: who was measured.
        split: name of the images' split.
        images: the images and labels measured on.
        networks: the student and, where there is one, the teacher.
        rows: gaps and robust accuracy by radius.
        attacked: the images after margin PGD at the threat's own radius.
        zero_gradients: share of images whose input gradient is exactly zero.
        linearity: mean local linearity measure, in nats.
        taylor: mean share of the logits that their first-order expansion misses.
        certificates: empty unless asked for.
        gradients: distance and cosine of the input gradients; empty without a teacher.
        distance: of the features; None without a teacher.
        bound: the empirical bound; None without a teacher.
    """

    student: Student
    split: str
    images: Split
    networks: dict[str, Network]
    rows: dict[str, list[EpsilonRow]] = field(default_factory=dict)
    attacked: dict[str, Tensor] = field(default_factory=dict)
    zero_gradients: dict[str, float] = field(default_factory=dict)
    linearity: dict[str, float] = field(default_factory=dict)
    taylor: dict[str, float] = field(default_factory=dict)
    certificates: dict[str, Certificates] = field(default_factory=dict)
    gradients: dict[str, float] = field(default_factory=dict)
    distance: FeatureDistance | None = None
    bound: MeasuredBound | None = None

    @property
    def few(self) -> Split:
        """The images of what is too costly for all."""
        return first_images(self.images, LINEARITY_IMAGES)


def first_images(split: Split, count: int) -> Split:
    """The first ``count`` of a split's images."""
    return split[:count]


def find_student(target: Path) -> Student:
    """The student in a checkpoint or student.safetensors, or in a folder that holds one.

    Raises:
        ValueError: if there is none that was trained here.
    """
    path = file_in(target) if target.is_dir() else target
    if path is None:
        raise ValueError(
            f"{target} holds neither study.yaml nor checkpoint.pt nor student.safetensors; "
            "name a study's directory, a trial's folder or a checkpoint"
        )
    found = _own(path)
    if found is None:
        raise ValueError(
            f"checkpoint {path} holds no student and its config; only students that were trained "
            "here can be diagnosed"
        )
    return found


def _own(path: Path) -> Student | None:
    state = read_student(path)
    if "config" not in state or "student" not in state:
        return None
    config = trial_in(state["config"], path)
    network = build_network(config, config.student.architecture, config.student.normalize)
    load_student(network, state.get("result", state["student"]), path)
    return Student(path, config, network.eval().requires_grad_(False))


def find_teacher(student: Student, request: Request) -> tuple[str, Network] | None:
    """Architecture and network of the teacher that is asked for; None where there is none.

    Raises:
        ValueError: if it is not where it is said to be.
    """
    if request.teacher == "none":
        return None
    if request.teacher == "auto":
        return _configured(student, request.teachers)
    path = Path(request.teacher)
    other = _own(path)
    if other is not None:
        if other.config.data.name != student.config.data.name:
            raise ValueError(
                f"teacher {path} was trained on {other.config.data.name!r}, but the student on "
                f"{student.config.data.name!r}; name a teacher of the same data"
            )
        return other.config.student.architecture, other.network
    teacher = student.config.teacher
    if teacher is None:
        raise ValueError(
            f"{path} holds weights alone, and the student's config names no teacher architecture; "
            "name the checkpoint of a run that was trained here"
        )
    named = teacher.model_copy(update={"checkpoint": path})
    config = student.config.model_copy(update={"teacher": named})
    return teacher.label, network_from_file(config).eval().requires_grad_(False)


def _configured(student: Student, teachers: Path | None) -> tuple[str, Network] | None:
    if student.config.teacher is None:
        return None
    folders = [teachers] if teachers else _folders(student.path)
    paths = [teacher_path(student.config, folder) for folder in folders]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        looked = ", ".join(str(folder) for folder in folders)
        raise ValueError(
            f"the student's teacher {paths[0].name} is not in {looked}; name its folder with "
            "--teachers, another checkpoint with --teacher, or --teacher none"
        )
    return student.config.teacher.label, prepared_network(path, student.config)


def _folders(path: Path) -> list[Path]:
    """Folders of teachers beside the checkpoint's study or run, then the default one."""
    around = [parent / "teachers" for parent in path.resolve().parents]
    return [*(folder for folder in around if folder.is_dir()), Path("runs/teachers")]


def measure(student: Student, request: Request) -> Diagnosis:
    """Measure the student, and its teacher where there is one.

    Raises:
        ValueError: if the teacher cannot be found, or a radius is impossible.
    """
    config = student.config
    torch.set_num_threads(config.hardware.threads)  # as in training: sums depend on it
    teacher = find_teacher(student, request)
    data = load_data(config.data, pick_device(config.hardware.device))
    images = first_images(getattr(data, request.split), request.images)
    networks = {f"student {config.student.architecture}": student.network}
    if teacher is not None:
        networks[f"teacher {teacher[0]}"] = teacher[1]
    found = Diagnosis(student, request.split, images, networks)
    for name, network in networks.items():
        _measure_alone(found, name, network, request)
    return _compared(found, teacher[1]) if teacher else found


def _measure_alone(found: Diagnosis, name: str, network: Network, request: Request) -> None:
    config = found.student.config
    threat, attack = config.threat, config.validation.attack
    epsilons = request.epsilons or [f * threat.epsilon for f in FACTORS if f * threat.epsilon <= 1]
    seed, split, few = VALIDATION_SEED, found.images, found.few
    found.rows[name] = gaps_over_epsilon(network, split, threat, attack, epsilons, seed=seed)
    found.attacked[name] = attacked_at(
        threat.epsilon, network, split, threat=threat, attack=attack, seed=seed
    )
    found.zero_gradients[name] = zero_gradients(network, split)
    found.linearity[name] = mean(
        local_linearity(network, few, threat, steps=LINEARITY_STEPS, seed=seed)
    )
    found.taylor[name] = mean(taylor_remainder_ratio(network, few.images, threat, seed=seed))
    if request.smoothing:
        found.certificates[name] = certify(network, split, request.smoothing, seed=seed)


def _compared(found: Diagnosis, teacher: Network) -> Diagnosis:
    student, threat = found.student.network, found.student.config.threat
    return replace(
        found,
        gradients=gradient_gap(student, teacher, found.images),
        distance=feature_distance(student, teacher, found.images.images),
        bound=measured_bound(
            student, teacher, found.few, threat, steps=LINEARITY_STEPS, seed=VALIDATION_SEED
        ),
    )


def mean(values: Tensor) -> float:
    """Mean of values that are all finite; NaN otherwise."""
    return values.double().mean().item() if torch.isfinite(values).all() else math.nan
