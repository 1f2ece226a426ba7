"""One method and one student, ready to be timed in three ways: ours, the floor, the plain loop."""

import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.speed import plain
from benchmarks.speed.cases import METHODS, architecture_of
from benchmarks.speed.floor import PASSES
from trainables.config import TrialConfig
from trainables.data import batches
from trainables.distillation import Distillation, build_network
from trainables.machine.hardware import compute_type
from trainables.models import Network, allow_double_backward, computing_in, frozen, module_mode
from trainables.training import Networks, train_epoch

CLASSES = 10


class Size(NamedTuple):
    """How much is computed."""

    batch: int
    steps: int
    """Per timing."""
    teacher: str


def config_of(method: str, student: str, size: Size, hardware: Mapping[str, Any]) -> TrialConfig:
    """The trial that is timed; untrained teachers cost what trained ones do."""
    images = max(20 * CLASSES, -(-size.batch * (size.steps + 1) * 4 // 3))
    return TrialConfig.model_validate(
        {
            "data": {
                "name": "glyphs",
                "classes": CLASSES,
                "images": images,
                "batch_size": size.batch,
                "crop_padding": 4,
                "flip": True,
            },
            "student": {"architecture": architecture_of(student)},
            "teacher": {"architecture": size.teacher},
            "hardware": hardware,
            **METHODS[method].settings,
        }
    )


class Setting:
    """A run that can be timed step by step.

    Args:
        method: a name of ``METHODS``.
        student: a name of ``STUDENTS``, or an architecture.
        size: batch, steps and teacher.
        hardware: settings of ``HardwareConfig``.
        teacher: may serve several settings of the same hardware.
    """

    def __init__(
        self,
        method: str,
        student: str,
        size: Size,
        hardware: Mapping[str, Any],
        teacher: Network | None = None,
    ) -> None:
        self.method, self.size = method, size
        self.config = config_of(method, student, size, hardware)
        self.teacher = teacher or build_network(self.config, size.teacher, normalize=True)
        self.run = Distillation.build(self.config, self.teacher)
        self.device = self.run.device
        self._generator = torch.Generator(self.device).manual_seed(0)

    def ours(self) -> float:
        """Seconds per step of the product's own loop."""
        return self._timed(lambda: self._our_steps(self.size.steps)) / self.size.steps

    def _our_steps(self, steps: int) -> object:
        run = self.run
        parts = batches(run.data.train, self.config.data, self._generator)
        networks = Networks(run.student, run.teacher)
        with computing_in(compute_type(run.hardware), *networks):
            return train_epoch(
                itertools.islice(parts, steps),
                run.step,
                networks,
                optimizer=run.optimizer,
                scheduler=run.scheduler,
                generator=self._generator,
            )

    def warm_up(self) -> None:
        """What is set up once: kernels are chosen, graphs compiled, momentum allocated."""
        self._our_steps(1)
        self.synchronize()

    def floor(self) -> dict[str, float]:
        """Seconds of each raw pass that the method needs, once."""
        parts = batches(self.run.data.train, self.config.data, self._generator)
        images, labels = next(iter(parts))
        return {name: self._raw(name, images, labels) for name in METHODS[self.method].passes}

    def _raw(self, name: str, images: Tensor, labels: Tensor) -> float:
        who, training, run = PASSES[name]
        network = {"student": self.run.student, "teacher": self.teacher}[who]
        dtype = compute_type(self.run.hardware)
        with module_mode(network, training=training), computing_in(dtype, network):
            if training:
                return self._timed(lambda: run(network, images, labels))
            with frozen(network):
                return self._timed(lambda: run(network, images, labels))

    def sum_of_passes(self) -> float:
        """Seconds per step, if a step were its raw passes alone."""
        return sum(METHODS[self.method].passes[name] * cost for name, cost in self.floor().items())

    def peak_mib(self) -> float | None:
        """Largest memory of our own step on a GPU, in MiB."""
        if self.device.type != "cuda":
            return None
        torch.cuda.reset_peak_memory_stats()
        self.ours()
        return torch.cuda.max_memory_allocated() / 2**20

    def _timed(self, work: Any) -> float:
        self.synchronize()
        begin = time.perf_counter()
        work()
        self.synchronize()
        return time.perf_counter() - begin

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


class PlainSetting:
    """The same in the plain loop: its own networks in float32, its own loader."""

    def __init__(self, setting: Setting) -> None:
        self._setting, config = setting, setting.config
        hardware = {"device": setting.device.type, "memory_format": "contiguous"}
        plainly = TrialConfig.model_validate(
            {**config.model_dump(mode="json"), "hardware": hardware}
        )
        self._student = build_network(plainly, plainly.student.architecture, normalize=True)
        if "student_double" in METHODS[setting.method].passes:
            allow_double_backward(self._student)  # fused attention has none
        teacher = setting.size.teacher
        self._teacher = build_network(plainly, teacher, normalize=True).eval().requires_grad_(False)
        self._optimizer = torch.optim.SGD(
            self._student.parameters(), lr=0.1, momentum=0.9, weight_decay=2e-4
        )

    def seconds(self) -> float:
        """Per step; the workers have started and the first step is done before the clock runs."""
        train, size = self._setting.run.data.train, self._setting.size
        count = size.batch * (size.steps + 1)
        images, labels = train.images[:count], train.labels[:count]
        parts = iter(plain.loader(images, labels, size.batch))
        self._steps(itertools.islice(parts, 1))
        self._setting.synchronize()
        begin = time.perf_counter()
        self._steps(parts)
        self._setting.synchronize()
        return (time.perf_counter() - begin) / size.steps

    def _steps(self, parts: Iterator[tuple[Tensor, Tensor]]) -> float:
        method = self._setting.method
        return plain.train(method, self._student, self._teacher, parts, self._optimizer)
