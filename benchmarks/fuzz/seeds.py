"""Valid files of every kind, from which hostile ones are made."""

import io
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from trainables.config import TrialConfig
from trainables.distillation import Distillation
from trainables.models.student_file import write_student, write_teacher
from tuner.study_file import load_study, shipped_studies

TRIAL: dict[str, Any] = {
    "student": {"architecture": "small_resnet6_half"},
    "data": {"name": "digits", "batch_size": 50},
    "threat": {"norm": "linf", "epsilon": 0.2},
    "attack": {"steps": 1},
    "epochs": 2,
    "hardware": {"device": "cpu"},
}

STUDY_EXTRAS: dict[str, Any] = {
    "ranges": {"method/temperature": [1, 4]},
    "fixed": {"optimizer/learning_rate": 0.01},
    "first_trials": [{"method/temperature": 2.0}],
    "limits": {"max_parameters": "1M"},
    "constraints": [{"metric": "val/clean_accuracy", "at_least": 0.5}],
    "warm_start": ["runs/earlier"],
    "sampler": {"name": "tpe", "seed": 3},
    "tracking": {"enabled": True, "uri": "http://127.0.0.1:5000", "experiment": "x"},
    "storage": "sqlite:////tmp/x.db",
}


@cache
def study() -> dict[str, Any]:
    """The shipped study, with most of what may be said besides."""
    content: dict[str, Any] = yaml.safe_load(shipped_studies()["digits"].read_text())
    content["teachers"]["file"] = {"checkpoint": "teachers/a.pt", "normalization": "cifar10"}
    return {**content, **STUDY_EXTRAS}


@cache
def resolved_study() -> dict[str, Any]:
    """The shipped study with every default written out."""
    return load_study(shipped_studies()["digits"]).model_dump(mode="json")


@cache
def trial() -> dict[str, Any]:
    """A small trial with every default written out, and a teacher from a file."""
    teacher = {"checkpoint": "teachers/a.pt", "architecture": "wide_resnet_10_1"}
    extra = {"path": "more.npz", "ratio": 0.5}
    content = {**TRIAL, "teacher": teacher, "method": {"name": "kd"}}
    content["data"] = {**TRIAL["data"], "extra": extra}
    return TrialConfig.model_validate(content).model_dump(mode="json")


@cache
def state() -> dict[str, Any]:
    """Everything that a run is continued from."""
    torch.manual_seed(0)
    return Distillation.build(TrialConfig.model_validate(TRIAL)).state_dict()


def weights() -> dict[str, Any]:
    """As other projects write them: wrapped, with what they add."""
    named = {f"module.{key}": value for key, value in state()["student"].items()}
    named = {key: value for key, value in named.items() if key.startswith("module.model.")}
    return {"state_dict": named, "epoch": 3, "best_acc": 0.5}


@cache
def torch_file(*, zipped: bool, whole: bool) -> bytes:
    """As ``torch.save`` writes it today or did in 2019: our state, or others' weights."""
    file = io.BytesIO()
    content = state() if whole else weights()
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


@cache
def student() -> bytes:
    """Our student.safetensors."""
    with TemporaryDirectory() as folder:
        return write_student(state(), Path(folder) / "s", provenance={"study": "x"}).read_bytes()


@cache
def arrays(*, compressed: bool) -> bytes:
    """Further images as an npz."""
    file, save = io.BytesIO(), np.savez_compressed if compressed else np.savez
    images = np.arange(20 * 64, dtype=np.uint8).reshape(20, 1, 8, 8)
    save(file, images=images, labels=np.arange(20) % 10)
    return file.getvalue()


@cache
def picture(form: str) -> bytes:
    """An image of 24x16 pixels."""
    file = io.BytesIO()
    levels = np.arange(24 * 16 * 3, dtype=np.uint8).reshape(16, 24, 3)
    Image.fromarray(levels).save(file, form)
    return file.getvalue()


@cache
def verification() -> dict[str, Any]:
    """What ``tuner verify`` leaves, of one member with one seed."""
    measured = [
        {"key": key, "epsilon": epsilon, "correct": 200, "total": 300}
        for key, epsilon in (("clean", 0.0), ("autoattack", 0.2), ("pgd20_margin", 0.2))
    ]
    run = {
        "seed": 0,
        "trial": 0,
        "checkpoint": "trials/0000/checkpoint.pt",
        "sha256": "0" * 64,
        "measured": measured,
        "verdict": "plausible",
        "notes": [],
        "seconds": 1.5,
        "hardware": "cpu",
    }
    member = {
        "trial": 0,
        "role": "front",
        "why": "on the front",
        "label": "searched",
        "teacher": "resnet",
        "config": trial(),
        "validation": {"val/clean_accuracy": 0.9, "val/robust_accuracy": 0.5},
        "validation_seeds": 1,
        "runs": [run],
        "failures": {},
    }
    return {
        "study": resolved_study(),
        "members": [member],
        "seeds": 2,
        "images": 300,
        "attack": "autoattack",
        "attack_name": "AutoAttack (standard)",
        "validation_attack": "pgd20_margin",
        "validation_attack_name": "PGD-20 (margin)",
        "epsilons": [0.2],
        "evaluation_seed": 0,
        "created": "2026-03-02T10:00:00+00:00",
        "facts": {"versions": "torch 2"},
    }


def as_json(content: Any) -> bytes:
    """The content as a file."""
    return json.dumps(content).encode()


@cache
def teacher() -> bytes:
    """A teacher as it lies in runs/teachers."""
    model = {
        key.removeprefix("model."): value
        for key, value in state()["student"].items()
        if key.startswith("model.")
    }
    content = {
        "config": state()["config"],
        "model": model,
        "measured": {"clean_accuracy": 0.9, "robust_accuracy": 0.5},
        "teacher": {"normalization": "data", "resolution": None, "published": False},
    }
    with TemporaryDirectory() as folder:
        return write_teacher(content, Path(folder) / "t").read_bytes()
