"""The same training by our loop and by the plain one: what each reaches, and how fast."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from benchmarks.speed import plain
from benchmarks.speed.cases import METHODS
from trainables.config import TrialConfig
from trainables.distillation import Distillation, build_network
from trainables.models import Network
from trainables.teachers import load_teachers
from trainables.validation import validate

LEARNING_RATE = 0.05
Row = dict[str, Any]


def config_of(
    method: str, hardware: Mapping[str, Any], images: int, epochs: int, seed: int
) -> TrialConfig:
    """A student of 78,000 parameters on ten classes of glyphs, constant learning rate."""
    return TrialConfig.model_validate(
        {
            "data": {
                "name": "glyphs",
                "images": images,
                "batch_size": 64,
                "crop_padding": 4,
                "flip": True,
            },
            "student": {"architecture": "wide_resnet_10_1"},
            "teacher": {"architecture": "wide_resnet_10_1", "training": {"epochs": 1}},
            "optimizer": {"learning_rate": LEARNING_RATE, "schedule": "constant"},
            "epochs": epochs,
            "seed": seed,
            "hardware": hardware,
            **METHODS[method].settings,
        }
    )


def compare(
    method: str, hardware: Mapping[str, Any], images: int, epochs: int, seeds: int
) -> list[Row]:
    """A row per loop and seed."""
    rows = []
    for seed in range(seeds):
        config = config_of(method, hardware, images, epochs, seed)
        loops: dict[str, Callable[[str, TrialConfig], Row]] = {"ours": ours, "plain": plainly}
        for name, train in loops.items():
            rows.append({"loop": name, "method": method, "seed": seed, **train(method, config)})
            print(
                "{loop:<6} {method}, seed {seed}: clean {clean:.3f}, robust {robust:.3f}, "
                "{images_per_second:.0f} images/s".format(**rows[-1]),
                flush=True,
            )
    return rows


def ours(method: str, config: TrialConfig) -> Row:
    run = Distillation.build(config, *load_teachers(config, teachers_of(config)))
    begin = time.perf_counter()
    for _ in range(config.epochs):
        run.train_epoch()
    return measured(config, run.student, run, time.perf_counter() - begin)


def plainly(method: str, config: TrialConfig) -> Row:
    run = Distillation.build(config, *load_teachers(config, teachers_of(config)))
    torch.manual_seed(config.seed)
    student = build_network(config, config.student.architecture, normalize=True)
    optimizer = torch.optim.SGD(
        student.parameters(), lr=LEARNING_RATE, momentum=0.9, weight_decay=2e-4
    )
    train, teacher = run.data.train, run.teacher or student
    parts = plain.loader(train.images, train.labels, config.data.batch_size)
    begin = time.perf_counter()
    for _ in range(config.epochs):
        plain.train(method, student, teacher, iter(parts), optimizer)
    return measured(config, student, run, time.perf_counter() - begin)


def teachers_of(config: TrialConfig) -> Any:
    return config.data.root.expanduser() / "bench-speed-teachers"


def measured(config: TrialConfig, student: Network, run: Distillation, seconds: float) -> Row:
    if run.device.type == "cuda":
        torch.cuda.synchronize()
    split = run.data.validation
    metrics = validate(student, split, config.threat, config.validation, finished=False)
    return {
        "clean": metrics["val/clean_accuracy"],
        "robust": metrics["val/robust_accuracy"],
        "count": len(split),
        "images_per_second": len(run.data.train) * config.epochs / seconds,
    }
