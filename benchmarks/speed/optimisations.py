"""What each optimisation is worth, switched on alone over an eager float32 loop."""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import trainables.training
from benchmarks.speed import plain
from benchmarks.speed.cases import METHODS
from benchmarks.speed.floor import trained
from benchmarks.speed.setting import Setting, Size
from trainables.machine.allocator import keep_freed_memory
from trainables.machine.hardware import compute_type
from trainables.models import Network, computing_in
from trainables.training import Networks, train_epoch

BASE = {"precision": "float32", "memory_format": "contiguous", "compile": False}
Row = dict[str, Any]


def variants(device: str) -> dict[str, dict[str, Any]]:
    """Settings of ``HardwareConfig`` over ``BASE``, by the optimisation's name."""
    alone = {
        "channels_last": {"memory_format": "channels_last"},
        "bfloat16": {"precision": "bfloat16"},
        "compiled networks": {"compile": True},
    }
    chosen = {"precision": "auto", "memory_format": "auto", "compile": "auto"}
    return {name: BASE | {"device": device} | more for name, more in alone.items()} | {
        "the defaults": chosen | {"device": device}
    }


def compare(method: str, student: str, size: Size, device: str, rounds: int) -> list[Row]:
    """A row per optimisation: seconds per step before and with it, round by round."""
    plainly = BASE | {"device": device}
    base = Setting(method, student, size, plainly)
    base.warm_up()
    rows = []
    for name, hardware in variants(device).items():
        rows.append(tried(name, base, lambda: Setting(method, student, size, hardware), rounds))  # noqa: B023
    rows.append(against(base, "images on the device", WithLoader(base).seconds, base.ours, rounds))
    if "student_attack" in METHODS[method].passes:
        wasteful = WithWeights(base)
        rows.append(against(base, "image gradients alone", wasteful.ours, base.ours, rounds))
    if device == "cuda":
        rows.append(tried("CUDA graphs", base, lambda: graphed(method, student, size), rounds))
    return rows


def tried(name: str, base: Setting, build: Callable[[], Setting], rounds: int) -> Row:
    """Why an optimisation does not work here is a result, too."""
    try:
        begin = time.perf_counter()
        setting = build()
        setting.warm_up()
        row = against(base, name, base.ours, setting.ours, rounds)
        return {**row, "start_seconds": time.perf_counter() - begin}
    except (ValueError, RuntimeError) as error:
        row = {"optimisation": name, "error": str(error).partition("\n")[0]}
        print(f"{name:<24} FAILED: {row['error']}", flush=True)
        return row


def against(
    base: Setting,
    name: str,
    without: Callable[[], float],
    with_it: Callable[[], float],
    rounds: int,
) -> Row:
    timed = [(without(), with_it()) for _ in range(rounds)]
    ratios = [a / b for a, b in timed]
    row = {
        "optimisation": name,
        "method": base.method,
        "seconds": timed,
        "speedup": statistics.median(ratios),
        "range": [min(ratios), max(ratios)],
    }
    print(f"{name:<24} {row['speedup']:.2f} ({min(ratios):.2f}-{max(ratios):.2f})", flush=True)
    return row


def graphed(method: str, student: str, size: Size) -> Setting:
    """The student's passes replayed as CUDA graphs, by torch.compile's own mode."""
    setting = Setting(method, student, size, BASE | {"device": "cuda"})
    setting.run.student.model.compile(dynamic=False, mode="reduce-overhead")
    return setting


class WithLoader:
    """Our step, fed by the plain loop's loader: what images on the device are worth."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def seconds(self) -> float:
        setting, size = self._setting, self._setting.size
        train, count = setting.run.data.train, size.batch * (size.steps + 1)
        parts = iter(plain.loader(train.images[:count], train.labels[:count], size.batch))
        moved = ((x.to(setting.device), y.to(setting.device)) for x, y in parts)
        self._steps(itertools.islice(moved, 1))
        setting.synchronize()
        begin = time.perf_counter()
        self._steps(moved)
        setting.synchronize()
        return (time.perf_counter() - begin) / size.steps

    def _steps(self, parts: Iterator[tuple[Tensor, Tensor]]) -> None:
        run = self._setting.run
        networks = Networks(run.student, run.teacher)
        with computing_in(compute_type(run.hardware), *networks):
            train_epoch(
                parts,
                run.step,
                networks,
                optimizer=run.optimizer,
                scheduler=run.scheduler,
                generator=torch.Generator(run.device),
            )


class WithWeights:
    """Our step with an attack that computes the weights' gradients and throws them away."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def ours(self) -> float:
        ours = trainables.training.attack
        trainables.training.attack = self._wasteful
        try:
            return self._setting.ours()
        finally:
            trainables.training.attack = ours

    def _wasteful(
        self, objective: Any, images: Tensor, threat: Any, config: Any, *, generator: Any
    ) -> Tensor:
        student = self._setting.run.student.requires_grad_(True)
        moved = images
        for _ in range(config.steps):
            moved = moved.detach().requires_grad_()
            gradient, *_ = torch.autograd.grad(
                objective(moved).sum(), [moved, *student.parameters()], allow_unused=True
            )
            step = config.step_size * threat.epsilon * threat.steepest(gradient)
            moved = threat.project(moved.detach() + step, images)
        return moved.detach()


def freed_memory(method: str, student: str, size: Size, rounds: int) -> Row:
    """glibc's default, then freed memory kept; it cannot be switched back, so one after the other.

    Must be called before anything else of the product runs in this process.
    """
    import trainables.distillation

    keep = trainables.distillation.keep_freed_memory
    trainables.distillation.keep_freed_memory = lambda: False
    setting = Setting(method, student, size, BASE | {"device": "cpu"})
    trainables.distillation.keep_freed_memory = keep
    setting.warm_up()
    without = [setting.ours() for _ in range(rounds)]
    if not keep_freed_memory():
        return {"optimisation": "freed memory kept", "error": "not this C library"}
    setting.warm_up()
    before = iter(without)
    return against(setting, "freed memory kept", lambda: next(before), setting.ours, rounds)


def compiled_double_backward(student: str, size: Size, device: str, rounds: int) -> Row:
    """Forward, input gradient and loss as one graph, differentiated once more.

    Needs a private switch of PyTorch; without it the graph breaks silently.
    """
    name = "compiled double backward"
    setting = Setting("KDIGA", student, size, BASE | {"device": device})
    network = setting.run.student.train()
    images = torch.rand(size.batch, 3, 32, 32, device=setting.device)
    labels = torch.randint(0, 10, (size.batch,), device=setting.device)
    try:
        import torch._dynamo.config as dynamo

        dynamo.trace_autograd_ops = True
        whole = torch.compile(penalised, fullgraph=True)
        same = compared(whole, network, images, labels)
        row = against(
            setting,
            name,
            lambda: seconds(setting, penalised, network, images, labels),
            lambda: seconds(setting, whole, network, images, labels),
            rounds,
        )
    except Exception as error:  # a private switch may fail in any way
        print(f"{name:<24} FAILED: {error}".partition("\n")[0], flush=True)
        return {"optimisation": name, "error": str(error).partition("\n")[0]}
    return {**row, "largest_relative_difference": same}


def penalised(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    loss = F.cross_entropy(network(images).float(), labels)
    (gradient,) = torch.autograd.grad(loss, images, create_graph=True)
    return loss + gradient.square().sum()


def compared(whole: Any, network: Network, images: Tensor, labels: Tensor) -> float:
    """Largest difference of a gradient from eager, relative to the largest entry."""
    eager, compiled = (
        torch.autograd.grad(
            function(network, images.detach().requires_grad_(), labels),
            trained(network),
            allow_unused=True,
        )
        for function in (penalised, whole)
    )
    return max(
        ((a - b).abs().max() / a.abs().max().clamp_min(1e-12)).item()
        for a, b in zip(eager, compiled, strict=True)
        if a is not None and b is not None
    )


def seconds(
    setting: Setting, function: Any, network: Network, images: Tensor, labels: Tensor
) -> float:
    setting.synchronize()
    begin = time.perf_counter()
    for _ in range(setting.size.steps):
        loss = function(network, images.detach().requires_grad_(), labels)
        torch.autograd.grad(loss, trained(network), allow_unused=True)
    setting.synchronize()
    return (time.perf_counter() - begin) / setting.size.steps
