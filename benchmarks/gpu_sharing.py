"""Several trials on one GPU by fraction: throughput, memory of each, and what a stopped one leaves.

PYTHONPATH=. python benchmarks/gpu_sharing.py --json sharing.json

For each number of trials at once: so many processes train two trials each, one after the other, as
an actor of a study does. Memory is that of the process on the GPU (with --device cpu: resident),
before its first trial, at the most, and between the trials, when the first has been let go.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import torch

from trainables.config import TrialConfig
from trainables.distillation import Distillation
from trainables.machine.allocator import hand_back_freed_memory

Row = dict[str, Any]
MIB = 2**20


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    parser, options = parse(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("a GPU is needed, but PyTorch sees none; --device cpu runs on the processor")
    print(
        f"{'at once':>7} {'share':>6} {'images/s':>9} {'MiB: begin':>10} {'most':>7} {'between':>8}"
    )
    rows = []
    for at_once in options.at_once:
        rows.append(shared(at_once, options))
        print(line(rows[-1]), flush=True)
    hardware = torch.cuda.get_device_name() if options.device == "cuda" else "CPU, 1 thread"
    if options.json:
        content = {"hardware": hardware, "torch": torch.__version__, "rows": rows}
        content |= {key: getattr(options, key) for key in ("images", "batch_size", "student")}
        options.json.write_text(json.dumps(content, indent=2))
        print(options.json)
    return rows


def shared(at_once: int, options: argparse.Namespace) -> Row:
    """So many processes at the same time; the sum of their images, the largest of their memories.

    Speed is that of the epochs in which all of them train.
    """
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(at_once)
    answers = context.Queue()
    settings = config(options).model_dump(mode="json")
    processes = [
        context.Process(target=an_actor, args=(settings, together, answers)) for _ in range(at_once)
    ]
    for process in processes:
        process.start()
    found = [answers.get(timeout=3600) for _ in processes]
    for process in processes:
        process.join()
    return {
        "at_once": at_once,
        "share": 1 / at_once,
        "images_per_second": sum(row["images_per_second"] for row in found),
        **{name: max(row[name] for row in found) for name in ("begin", "most", "between")},
    }


def config(options: argparse.Namespace) -> TrialConfig:
    return TrialConfig.model_validate(
        {
            "data": {
                "name": options.data,
                "batch_size": options.batch_size,
                **({"images": options.images} if options.data == "glyphs" else {}),
            },
            "student": {"architecture": options.student},
            "optimizer": {"schedule": "constant"},
            "validation": {"attack": {"steps": 2}},
            "epochs": 2,
            "hardware": {"device": options.device},
        }
    )


def an_actor(settings: dict[str, Any], together: Any, answers: Any) -> None:
    """Two trials one after the other, as one process of a study trains them."""
    trial = TrialConfig.model_validate(settings)
    cuda = trial.hardware.device == "cuda"
    torch.ones(1, device=trial.hardware.device)  # the context is there whatever is trained
    begin = held(cuda=cuda)
    run = Distillation.build(trial)
    run.train_epoch()
    together.wait(timeout=600)
    started = time.perf_counter()
    run.train_epoch()
    steps = len(run.data.train) // trial.data.batch_size
    speed = steps * trial.data.batch_size / (time.perf_counter() - started)
    most = torch.cuda.max_memory_reserved() / MIB if cuda else held(cuda=False)
    del run
    hand_back_freed_memory()
    between = held(cuda=cuda)
    Distillation.build(trial).train_epoch()
    answers.put({"images_per_second": speed, "begin": begin, "most": most, "between": between})


def held(*, cuda: bool) -> float:
    """MiB that PyTorch holds on the GPU, images of the data set included, or resident ones."""
    if cuda:
        return torch.cuda.memory_reserved() / MIB
    return psutil.Process().memory_info().rss / MIB


def line(row: Row) -> str:
    return (
        f"{row['at_once']:>7} {row['share']:>6.2f} {row['images_per_second']:>9.0f} "
        f"{row['begin']:>10.0f} {row['most']:>7.0f} {row['between']:>8.0f}"
    )


def parse(
    arguments: Sequence[str] | None,
) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--data", choices=("glyphs", "digits"), default="glyphs")
    parser.add_argument("--images", type=int, default=6_000, help="of glyphs")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--student", default="cifar_resnet18")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    return parser, parser.parse_args(arguments)


if __name__ == "__main__":
    main()
