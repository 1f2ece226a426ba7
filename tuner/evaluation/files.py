"""What was measured, as files: JSON with everything, CSV with the numbers."""

import csv
import hashlib
import io
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tuner.evaluation.measuring import Evaluation, Row
from tuner.storage.atomic import write_atomically


def write_json(evaluation: Evaluation, path: Path) -> Path:
    """Everything that the numbers depend on, and the numbers."""
    target, request = evaluation.target, evaluation.request
    content = {
        "checkpoint": str(target.path),
        "checkpoint_sha256": hashlib.sha256(target.path.read_bytes()).hexdigest(),
        "architecture": target.architecture,
        "data": target.config.data.name,
        "split_seed": target.config.data.split_seed,
        "split": request.split,
        "images": evaluation.num_images,
        "norm": request.threats[0].norm,
        "epsilons": [threat.epsilon for threat in request.threats],
        "seed": request.seed,
        "accuracies": [_row(evaluation, row) for row in evaluation.rows],
        "gates": [vars(gate) for gate in evaluation.gates],
        "verdict": evaluation.verdict,
        "notes": evaluation.notes,
        "attacks": {a.key: a.model_dump(mode="json") for a in request.attacks},
        "hardware": _hardware(evaluation),
        "versions": {name: version(name) for name in ("torch", "timm", "pyautoattack")},
    }
    return write_atomically(path, json.dumps(content, indent=2) + "\n")


def write_csv(evaluation: Evaluation, path: Path) -> Path:
    """A line per attack and radius; accuracies in [0, 1]."""
    lines = [_row(evaluation, row) for row in evaluation.rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return write_atomically(path, text.getvalue())


def _row(evaluation: Evaluation, row: Row) -> dict[str, Any]:
    low, high = row.accuracy.interval
    return {
        "metric": f"{evaluation.request.split}/{row.key}_accuracy",
        "attack": row.name,
        "norm": evaluation.request.threats[0].norm,
        "epsilon": row.epsilon,
        "accuracy": row.accuracy.share,
        "low": low,
        "high": high,
        "correct": row.accuracy.correct,
        "total": row.accuracy.total,
        "seed": evaluation.request.seed,
    }


def _hardware(evaluation: Evaluation) -> str:
    device = str(evaluation.target.network.mean.device)
    return f"{platform.machine()}, {os.cpu_count()} cores, device {device}"
