"""What the doctor knows, needs and says."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from trainables.data import DataConfig
from trainables.teacher_config import TeacherConfig
from trainables.teacher_registry import FOLDER, public_teacher
from tuner.study import ResourcesConfig, StudyConfig

MARKER_FILES = {
    "cifar10": "cifar-10-batches-py",
    "cifar100": "cifar-100-python",
    "svhn": "train_32x32.mat",
    "tiny_imagenet": "tiny-imagenet-200",
}
"""What lies in ``data.root`` once a data set was downloaded."""


class Problem(NamedTuple):
    """What is wrong, and what to do about it."""

    wrong: str
    remedy: str


@dataclass(frozen=True)
class Finding:
    """A line of the doctor: ``remedy`` is empty where all is well."""

    check: str
    text: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing has to be done."""
        return not self.remedy


@dataclass(frozen=True)
class Facts:
    """A machine, as ``tuner.doctor.probe`` saw it, and as Ray and the driver's clock see it.

    Attributes:
        name: for people: ``this machine``, ``node 10.0.0.3 (1f2e3d4c)``.
        ray_gpus: GPUs that Ray lends on it; None for a machine that no Ray was asked about.
        ray_cpus: cores that Ray lends on it; None likewise.
        skew: seconds that its clock is ahead of the driver's.
        skew_known_to: half the round trip, in seconds, to which ``skew`` is known.
    """

    name: str
    host: str
    python: str
    versions: dict[str, str]
    code: str
    gpus: int
    cuda: str
    gpu_problem: str
    driver: str
    memory: int
    shared_memory: int | None
    disk: int
    temporary_used: float
    storage_problem: str
    missing: list[str]
    ray_gpus: float | None = None
    ray_cpus: float | None = None
    skew: float = 0.0
    skew_known_to: float = 0.0

    def without_trials(self) -> "Facts":
        """The same machine, lending nothing."""
        return replace(self, ray_cpus=0.0, ray_gpus=0.0)

    def places(self, resources: ResourcesConfig) -> int:
        """Processes of trials that fit on this node by cores and GPUs; one each, or more."""
        if self.ray_cpus is None or self.ray_gpus is None:
            return resources.max_concurrent * resources.workers
        return resources.places(self.ray_cpus, self.ray_gpus)


@dataclass(frozen=True)
class Need:
    """What machines are held against.

    Attributes:
        resources: of a trial and of the study.
        data: whose files are looked for.
        teachers: whose checkpoints are looked for.
        storage: folder of the studies, absolute, for messages.
    """

    resources: ResourcesConfig
    data: DataConfig
    teachers: tuple[TeacherConfig, ...]
    storage: str

    @classmethod
    def of(cls, study: StudyConfig | None, storage: str) -> "Need":
        """What a study needs; without one, what any does."""
        if study is None:
            return cls(ResourcesConfig(), DataConfig(), (), storage)
        named = [*study.teachers.values()]
        named += [t for t in (study.base.teacher, study.base.clean_teacher) if t is not None]
        members = [member for teacher in named for member in teacher.each()]
        return cls(study.resources, study.base.data, tuple(members), storage)

    @property
    def room_for(self) -> str:
        """What a node's disk is needed for."""
        return "the home folder" if "://" in self.storage else self.storage

    @property
    def files(self) -> tuple[str, ...]:
        """All that is looked for."""
        return (*self.data_files, *self.teacher_files)

    @property
    def data_files(self) -> list[str]:
        """Paths that the data set is read from; none of digits, glyphs and the like."""
        data = self.data
        files = [data.path, data.extra.path if data.extra else None]
        if marker := MARKER_FILES.get(data.name):
            files.append(data.root / marker)
        return [str(file) for file in files if file is not None]

    @property
    def teacher_files(self) -> list[str]:
        """Checkpoints that teachers are loaded from."""
        files = {t.checkpoint for t in self.teachers if t.checkpoint is not None}
        named = [t.name for t in self.teachers if t.name is not None and t.checkpoint is None]
        files |= {self.data.root / FOLDER / public_teacher(name).file for name in named}
        return sorted(map(str, files))
