"""Every method, and every alignment term, for two epochs on `glyphs`: seconds and memory of each.

PYTHONPATH=. python benchmarks/gpu_smoke.py --json smoke.json

Teachers are untrained: what they say changes no cost. Needs no Ray, Optuna or MLflow.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import torch

from trainables.alignments import ALIGNMENTS
from trainables.config import TrialConfig
from trainables.distillation import Distillation, build_network
from trainables.methods import METHODS

Row = dict[str, Any]


def main() -> None:
    parser, arguments = parse()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("a GPU is needed, but PyTorch sees none; --device cpu runs on the processor")
    rows = []
    print(f"{'case':<44} {'s/epoch':>8} {'MiB':>7} {'loss':>8}  clean robust")
    for name, settings in cases().items():
        if arguments.only is None or arguments.only in name:
            rows.append({"case": name, **measured(name, settings, arguments)})
            print(line(rows[-1]), flush=True)
    result = {"hardware": hardware(arguments.device), "torch": torch.__version__, "rows": rows}
    result |= {key: getattr(arguments, key) for key in ("images", "batch_size", "student")}
    if arguments.json:
        arguments.json.write_text(json.dumps(result | {"teacher": arguments.teacher}, indent=2))
        print(arguments.json)
    parser.exit(any("error" in row for row in rows))


def cases() -> dict[str, dict[str, Any]]:
    """Settings by name: methods alone, then terms beside adversarial training."""
    methods = {name: {"method": {"name": name}} for name in METHODS}
    plain = {"name": "adversarial_training"}
    terms = {
        f"adversarial_training + {name}": {"method": plain, "alignments": {name: True}}
        for name in ALIGNMENTS
    }
    return {**methods, **terms}


def measured(name: str, settings: dict[str, Any], arguments: argparse.Namespace) -> Row:
    """Seconds of the second epoch, peak memory, loss and accuracies; or why it failed."""
    try:
        config = TrialConfig.model_validate(
            {**base(arguments), **teachers(name, arguments)} | settings
        )
        return run(config)
    except (ValueError, RuntimeError) as error:
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0]}


def base(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "data": {
            "name": "glyphs",
            "classes": arguments.classes,
            "images": arguments.images,
            "batch_size": arguments.batch_size,
            "crop_padding": 4,
            "flip": True,
        },
        "student": {"architecture": arguments.student},
        "optimizer": {"learning_rate": 0.05, "schedule": "constant"},
        "validation": {"attack": {"steps": 2}},
        "epochs": 2,
        "hardware": {"device": arguments.device},
    }


def teachers(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The teachers that the method of this name may ask."""
    kinds = ["teacher"]
    if name in METHODS and getattr(METHODS[name](), "needs_clean_teacher", False):
        kinds.append("clean_teacher")
    return {kind: {"architecture": arguments.teacher} for kind in kinds}


def run(config: TrialConfig) -> Row:
    kinds = ("teacher", "clean_teacher")
    named = {kind: getattr(config, kind, None) for kind in kinds}
    networks = {
        kind: build_network(config, teacher.architecture, teacher.normalization != "none")
        for kind, teacher in named.items()
        if teacher is not None
    }
    on_gpu = config.hardware.device == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    distillation = Distillation.build(config, **networks)
    distillation.train_epoch()  # the first one pays for what is set up once
    seconds, loss = timed_epoch(distillation, on_gpu)
    peak = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else None
    metrics = distillation.validate()
    row = {"seconds": seconds, "peak_mib": peak, "loss": loss}
    row |= {key: metrics[f"val/{key}_accuracy"] for key in ("clean", "robust")}
    return row if math.isfinite(loss) else {**row, "error": f"the loss is {loss}"}


def timed_epoch(distillation: Distillation, on_gpu: bool) -> tuple[float, float]:
    begin = time.perf_counter()
    loss = distillation.train_epoch()["train/loss"]
    if on_gpu:
        torch.cuda.synchronize()
    return time.perf_counter() - begin, loss


def line(row: Row) -> str:
    if "error" in row:
        return f"{row['case']:<44} FAILED: {row['error']}"
    memory = "-" if row["peak_mib"] is None else f"{row['peak_mib']:.0f}"
    return (
        f"{row['case']:<44} {row['seconds']:>8.2f} {memory:>7} {row['loss']:>8.4f}  "
        f"{row['clean']:.3f} {row['robust']:.3f}"
    )


def hardware(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "CPU, 1 thread"


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--images", type=int, default=6_000, help="4,500 of 6,000 are trained on")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--student", default="cifar_resnet18")
    parser.add_argument("--teacher", default="wide_resnet_16_2")
    parser.add_argument("--only", help="run the cases whose name holds this")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    return parser, parser.parse_args()


if __name__ == "__main__":
    main()
