"""What surrounds the steps: the start of a trial, validation, arithmetic, sharing a device."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.cases import METHODS
from benchmarks.speed.setting import Setting, Size
from trainables.config import TrialConfig
from trainables.data import batches
from trainables.distillation import Distillation, build_network
from trainables.training import Networks

Row = dict[str, Any]

CIFAR_TRAIN, CIFAR_VALIDATION = 45_000, 1_000
"""Images per epoch: trained on, and measured in every epoch but the last."""


def start(student: str, device: str, repeats: int) -> Row:
    """Seconds from a trial's config to its first step, data and teacher being there already.

    As in an actor that is used again: the process has served a trial before.
    """
    size = Size(batch=100, steps=1, teacher="small_resnet8")
    config = TrialConfig.model_validate(
        {
            "data": {"batch_size": size.batch},
            "student": {"architecture": student},
            "teacher": {"architecture": size.teacher},
            "method": {"name": "variance_gap"},
            "hardware": {"device": device},
        }
    )
    teacher = build_network(config, size.teacher, normalize=True)
    took = [to_first_step(config, teacher) for _ in range(repeats + 1)]
    row = {"student": student, "first_ever": took[0], "again": statistics.median(took[1:])}
    print(f"start of a trial, {student}: {row['again']:.3f} s (first in the process {took[0]:.3f})")
    return row


def to_first_step(config: TrialConfig, teacher: Any) -> float:
    begin = time.perf_counter()
    run = Distillation.build(TrialConfig.model_validate(config.model_dump()), teacher)
    generator = torch.Generator(run.device).manual_seed(0)
    images, labels = next(batches(run.data.train, config.data, generator))
    run.step.batch(images[:2], labels[:2], Networks(run.student, run.teacher), generator)
    if run.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def validation(method: str, student: str, size: Size, hardware: Mapping[str, Any]) -> Row:
    """Validation as a share of training, scaled to CIFAR's epoch by the cost of an image."""
    setting = Setting(method, student, size, hardware)
    setting.warm_up()
    setting.run.validate()
    step = statistics.median(setting.ours() for _ in range(3))
    split = setting.run.data.validation
    begin = time.perf_counter()
    setting.run.validate()
    per_image = (time.perf_counter() - begin) / len(split)
    share = per_image * CIFAR_VALIDATION / (step / size.batch * CIFAR_TRAIN)
    print(f"validation, {method}, {student}: {share:.1%} of training")
    return {"method": method, "student": student, "share": share}


FORWARDS = {"student_attack": 2, "student_train": 3}
"""How many forwards' worth of products a pass has: backward to the images 1, to the weights 1."""


def arithmetic(student: str, size: Size, hardware: Mapping[str, Any]) -> Row:
    """FLOPs per second of PGD-10 adversarial training, against a large matrix product."""
    setting = Setting("PGD-10 AT", student, size, hardware)
    setting.warm_up()
    images = torch.rand(size.batch, 3, 32, 32, device=setting.device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        setting.run.student(images)
    passes = METHODS["PGD-10 AT"].passes
    forwards = sum(FORWARDS[name] * count for name, count in passes.items())
    flops = forwards * counter.get_total_flops()
    step = statistics.median(setting.ours() for _ in range(3))
    peak = matrix_rate(setting.device, setting.run.hardware.precision)
    row = {"student": student, "flops_per_step": flops, "flops_per_second": flops / step}
    row |= {"matrix_flops_per_second": peak, "utilisation": flops / step / peak}
    print(
        f"arithmetic, {student}: {flops / step / 1e9:,.0f} GFLOP/s, "
        f"{flops / step / peak:.0%} of a matrix product's {peak / 1e9:,.0f}"
    )
    return row


def matrix_rate(device: torch.device, precision: str) -> float:
    """FLOPs per second of the best of some square products in the same precision."""
    side = 8192 if device.type == "cuda" else 2048
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    matrix = torch.rand(side, side, device=device).to(dtype)
    best = float("inf")
    for _ in range(5):
        if device.type == "cuda":
            torch.cuda.synchronize()
        begin = time.perf_counter()
        matrix @ matrix
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begin)
    return 2 * side**3 / best


def sharing(method: str, student: str, size: Size, device: str, counts: Sequence[int]) -> list[Row]:
    """Images per second of so many trials at once on one device, each in its own process."""
    rows = []
    for count in counts:
        arguments = [method, student, str(size.batch), str(size.steps), size.teacher, device]
        command = [sys.executable, "-m", "benchmarks.speed.costs", *arguments]
        workers = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(count)]
        for worker in workers:
            assert worker.stdout is not None
            worker.stdout.readline()  # it is warm
        outputs = [worker.communicate("go\n")[0] for worker in workers]
        results = [json.loads(output.splitlines()[-1]) for output in outputs]
        rate = sum(result["images_per_second"] for result in results)
        peak = [result["peak_mib"] for result in results]
        rows.append({"trials": count, "images_per_second": rate, "peak_mib": peak})
        print(f"{count} trials at once, {method}, {student}: {rate:.1f} images/s", flush=True)
    return rows


def worker(arguments: Sequence[str]) -> None:
    """One trial of :func:`sharing`: warms up, says so, waits for the word, measures."""
    method, student, batch, steps, teacher, device = arguments
    torch.set_num_threads(1)
    size = Size(int(batch), int(steps), teacher)
    setting = Setting(method, student, size, {"device": device})
    setting.warm_up()
    print("warm", flush=True)
    sys.stdin.readline()
    step = statistics.median(setting.ours() for _ in range(5))
    rate = size.batch / step
    print(json.dumps({"images_per_second": rate, "peak_mib": setting.peak_mib()}))


if __name__ == "__main__":
    worker(sys.argv[1:])
