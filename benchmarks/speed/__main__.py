"""How fast a training step is: ``make bench-speed``, or on a machine with a GPU

PYTHONPATH=. python -m benchmarks.speed --device cuda --batch 128 --json speed.json

Needs neither Ray, Optuna nor MLflow. Untrained teachers: what they say changes no cost. Prints
tables and writes JSON. On a CPU the batch is small and the sections can be chosen: a step of AdaAD
with WRN-34-10 takes minutes there.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed import accuracy, costs, optimisations, steps
from benchmarks.speed.cases import METHODS, STUDENTS, architecture_of
from benchmarks.speed.setting import Size
from trainables.models import check_architecture

SECTIONS = (
    "memory",
    "steps",
    "optimisations",
    "start",
    "validation",
    "arithmetic",
    "sharing",
    "accuracy",
)
SLOW = "accuracy"
"""Left out on a CPU unless asked for: two cores do not learn glyphs under attack in minutes."""


def main() -> None:
    parser = arguments_of()
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("a GPU is needed, but PyTorch sees none; --device cpu runs on the processor")
    try:  # a wrong name would be found after an hour
        for name in (*options.students, options.teacher):
            check_architecture(architecture_of(name))
    except ValueError as error:
        parser.error(str(error))
    torch.set_num_threads(options.threads)
    sections = options.sections or [n for n in SECTIONS if options.device == "cuda" or n != SLOW]
    result: dict[str, Any] = {"about": about(options)}
    begin = time.perf_counter()
    for name in SECTIONS:
        if name in sections:
            print(f"\n## {name}", flush=True)
            result[name] = SECTION[name](options)
            result["about"]["seconds"] = time.perf_counter() - begin
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(result, indent=1))
    print(f"\n{options.json}")


def size_of(options: argparse.Namespace) -> Size:
    return Size(options.batch, options.steps, options.teacher)


def hardware_of(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "device": options.device,
        "threads": options.threads,
        "precision": options.precision,
    }


def run_memory(options: argparse.Namespace) -> Any:
    if options.device != "cpu":
        return None
    size = Size(64, 1, "wide_resnet_10_1")
    return optimisations.freed_memory("PGD-10 AT", "WRN-16-2", size, options.rounds)


def run_steps(options: argparse.Namespace) -> Any:
    students = options.students
    return steps.compare(
        options.methods, students, size_of(options), hardware_of(options), options.rounds
    )


def run_optimisations(options: argparse.Namespace) -> Any:
    size, student = size_of(options), options.students[0]
    rows = []
    for method in ("PGD-10 AT", "KDIGA"):
        print(f"{method}, {student}: speed with / without", flush=True)
        rows += optimisations.compare(method, student, size, options.device, options.rounds)
    rows.append(
        optimisations.compiled_double_backward(student, size, options.device, options.rounds)
    )
    return rows


def run_start(options: argparse.Namespace) -> Any:
    students = ("small_resnet6", "vit_pico_patch2_8", "cifar_resnet18")
    return [costs.start(student, options.device, options.rounds) for student in students]


def run_validation(options: argparse.Namespace) -> Any:
    size, hardware = size_of(options), hardware_of(options)
    student = options.students[0]
    return [costs.validation(method, student, size, hardware) for method in options.methods]


def run_arithmetic(options: argparse.Namespace) -> Any:
    size, hardware = size_of(options), hardware_of(options)
    return [costs.arithmetic(s, size, hardware) for s in options.students]


def run_sharing(options: argparse.Namespace) -> Any:
    counts = (1, 2, 4, 8) if options.device == "cuda" else (1, 2)
    return costs.sharing(
        "PGD-10 AT", options.students[-1], size_of(options), options.device, counts
    )


def run_accuracy(options: argparse.Namespace) -> Any:
    hardware = hardware_of(options)
    images, epochs = (60_000, 10) if options.device == "cuda" else (3_000, 6)
    return accuracy.compare("PGD-10 AT", hardware, images, epochs, seeds=2)


SECTION = {
    "memory": run_memory,
    "steps": run_steps,
    "optimisations": run_optimisations,
    "start": run_start,
    "validation": run_validation,
    "arithmetic": run_arithmetic,
    "sharing": run_sharing,
    "accuracy": run_accuracy,
}


def about(options: argparse.Namespace) -> dict[str, Any]:
    cuda = options.device == "cuda"
    return {
        "command": " ".join(["python -m benchmarks.speed", *sys.argv[1:]]),
        "commit": commit(),
        "device": torch.cuda.get_device_name() if cuda else cpu_name(),
        "cores": os.cpu_count(),
        "threads": options.threads,
        "precision": options.precision,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "batch": options.batch,
        "steps": options.steps,
        "rounds": options.rounds,
        "teacher": options.teacher,
    }


def commit() -> str | None:
    """None where the code lies without its history."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def arguments_of() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cpu")
    parser.add_argument("--batch", type=int, default=8, help="images per step")
    parser.add_argument("--steps", type=int, default=1, help="steps per timing")
    parser.add_argument("--rounds", type=int, default=3, help="timings of everything")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch on the CPU")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--teacher", default="wide_resnet_34_10")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--students", nargs="+", default=list(STUDENTS))
    parser.add_argument(
        "--sections", nargs="+", choices=SECTIONS, help="default: all that fit the device"
    )
    parser.add_argument("--json", type=Path, default=Path("runs/bench-speed.json"))
    return parser


if __name__ == "__main__":
    main()
