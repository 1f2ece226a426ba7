"""What is trained: named groups of runs, each for several seeds, on one teacher and one task."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.config import TrialConfig, merge

VERSION = 1
"""To be raised when the meaning of a setting changes: every run is then trained anew."""

ROOT = Path("runs/claims")
"""Where runs and their measures lie."""

SEEDS = (0, 1, 2, 3, 4)
EPSILON = 0.2
RADII = (0.05, 0.1, 0.15, 0.2)
"""At which every student is attacked; training attacks have the last one."""

OPTIMIZER = {
    "name": "adamw",
    "learning_rate": 0.005,
    "weight_decay": 0.001,
    "schedule": "one_cycle",
    "warmup": 0.2,
}
TEACHER_TRAINING = {
    "epochs": 20,
    "batch_size": 50,
    "attack": {"steps": 7},
    "optimizer": OPTIMIZER,
}
DIGITS: dict[str, Any] = {
    "data": {"name": "digits", "batch_size": 50},
    "threat": {"norm": "linf", "epsilon": EPSILON},
    "attack": {"steps": 7, "batch_norm": "eval"},
    "epochs": 15,
    "epsilon_warmup": 0.8,
    "optimizer": OPTIMIZER,
    "teacher": {"architecture": "small_resnet8", "training": TEACHER_TRAINING},
    "clean_teacher": {
        "architecture": "small_resnet8",
        "training": {**TEACHER_TRAINING, "method": "standard"},
    },
    "validation": {"cross_entropy": "never"},
    "hardware": {"device": "auto", "threads": 1},
}
"""The task of the demo. The attack's BatchNorm mode is the same for all methods, so that they
differ in their losses, objectives and starts alone."""

CNN, WIDE, VIT = "small_resnet6", "small_wide_resnet10", "vit_pico_patch2_8"
SIZES = ("small_resnet6_half", CNN, "small_resnet6_double", "small_resnet6_quadruple")

ALPHA = {"logits": {"weight": 1.0}}
BETA = {"covariance": {"weight": 0.3}}
GAMMA = {"gram": {"weight": 0.3}}
"""Weights at the upper end of what cost no accuracy in the probes of search_spaces/digits.py."""

IGDM = {"igdm": {"weight": 1.0}}
AT = {"method": {"name": "adversarial_training"}}


def variance_gap(*terms: Mapping[str, Any]) -> dict[str, Any]:
    """The variance-gap loss with these alignments and no others."""
    off = dict.fromkeys(("logits", "covariance", "gram"), False)
    return {"method": {"name": "variance_gap"}, "alignments": off | merge_all(*terms)}


def merge_all(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """All parts in one dictionary."""
    merged: dict[str, Any] = {}
    for part in parts:
        merged = merge(merged, part)
    return merged


METHODS: dict[str, dict[str, Any]] = {
    "standard": {"method": {"name": "standard"}},
    "KD": {"method": {"name": "kd"}},
    "KDIGA": {
        "method": {"name": "kdiga"},
        "alignments": {"input_gradient": {"weight": 0.1}},
    },
    "PGD-AT": AT,
    "TRADES": {"method": {"name": "trades"}},
    "ARD": {"method": {"name": "ard"}},
    "IAD-I": {"method": {"name": "iad1"}},
    "IAD-II": {"method": {"name": "iad2"}},
    "RSLAD": {"method": {"name": "rslad"}},
    "AdaAD": {"method": {"name": "adaad"}},
    "AdaIAD": {"method": {"name": "adaiad"}},
    "MTARD": {"method": {"name": "mtard"}},
    "KDIGA-ARD": {
        "method": {"name": "kdiga_ard"},
        "alignments": {"input_gradient": {"weight": 0.1}},
    },
    "variance gap": variance_gap(ALPHA, BETA, GAMMA),
    "Ada variance gap": merge(
        variance_gap(ALPHA, BETA, GAMMA), {"method": {"name": "ada_variance_gap"}}
    ),
    "ARD + IGDM": {"method": {"name": "ard"}, "alignments": IGDM},
    "RSLAD + IGDM": {"method": {"name": "rslad"}, "alignments": IGDM},
    "AdaAD + IGDM": {"method": {"name": "adaad"}, "alignments": IGDM},
}
ABLATION: dict[str, dict[str, Any]] = {
    "AT": AT,
    "AT + logits": variance_gap(ALPHA),
    "AT + logits + cov": variance_gap(ALPHA, BETA),
    "AT + logits + gram": variance_gap(ALPHA, GAMMA),
    "AT + logits + cov + gram": variance_gap(ALPHA, BETA, GAMMA),
    "AT + cov": variance_gap(BETA),
}
LAMBDAS = (0.03, 0.1, 0.3, 1.0)
BATCHES = (25, 50, 200)
BATCH_TERMS: dict[str, dict[str, Any]] = {
    "AT": AT,
    "AT + cov": variance_gap(BETA),
    "AT + cov, running": variance_gap(merge(BETA, {"covariance": {"running": 0.9}})),
}


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        group: the experiment that it belongs to.
        label: what is varied.
        seed: of weights, order and attack.
        settings: what the config is made of; names the run, so that a new field of ``TrialConfig``
            does not make old runs unknown.
        after: a run whose student this one begins with.
    """

    group: str
    label: str
    seed: int
    settings: Mapping[str, Any]
    after: "Run | None" = None

    @property
    def config(self) -> TrialConfig:
        """Complete description."""
        return TrialConfig.model_validate(self.settings)

    def folder(self, root: Path) -> Path:
        """Where its checkpoint and measures lie; equal runs of two groups share it."""
        text = json.dumps({"version": VERSION, **self.settings}, sort_keys=True)
        return root / hashlib.sha256(text.encode()).hexdigest()[:16]


def run(group: str, label: str, seed: int, *parts: Mapping[str, Any]) -> Run:
    """A run on the digits with these settings on top."""
    return Run(group, label, seed, merge_all(DIGITS, {"seed": seed}, *parts))


def plan(root: Path) -> list[Run]:
    """Every run, the cheap and central ones first.

    Args:
        root: folder of the runs; a pre-trained student is read from there.
    """
    groups = (methods(), gradients(), ablation(), pretrained(root), sizes(), batch_sizes())
    return [one for group in groups for one in group]


def student(architecture: str) -> dict[str, Any]:
    """The setting that names the student."""
    return {"student": {"architecture": architecture}}


def methods() -> Iterator[Run]:
    """Claims 1, 6, 9 and 12: every method on the small CNN."""
    for label, settings in METHODS.items():
        for seed in SEEDS:
            yield run("methods", label, seed, student(CNN), settings)


def gradients() -> Iterator[Run]:
    """Claims 2, 3 and 5: KDIGA without an attack, over its weight, on a CNN and a ViT."""
    for architecture in (CNN, VIT):
        for seed in SEEDS:
            where = f"{architecture}: "
            yield run(
                "gradients", where + "standard", seed, student(architecture), METHODS["standard"]
            )
            yield run("gradients", where + "KD", seed, student(architecture), METHODS["KD"])
            for weight in LAMBDAS:
                kdiga = {
                    "method": {"name": "kdiga"},
                    "alignments": {"input_gradient": {"weight": weight}},
                }
                label = f"{where}KDIGA {weight:g}"
                yield run("gradients", label, seed, student(architecture), kdiga)
            approximate = {
                "method": {"name": "kdiga"},
                "alignments": {"input_gradient": {"weight": 0.1, "mode": "finite_difference"}},
            }
            label = f"{where}KDIGA 0.1, finite differences"
            yield run("gradients", label, seed, student(architecture), approximate)


def ablation() -> Iterator[Run]:
    """Claims 7 to 9: the terms of the variance-gap loss, on three students."""
    for architecture in (CNN, WIDE, VIT):
        for label, settings in ABLATION.items():
            for seed in SEEDS:
                where = f"{architecture}: {label}"
                yield run("ablation", where, seed, student(architecture), settings)


def pretrained(root: Path) -> Iterator[Run]:
    """Claim 4: KDIGA into a student that was trained on clean images, at a tenth of the rate."""
    fine = {"epochs": 15, "optimizer": {"learning_rate": 0.002}}
    for architecture in (CNN, VIT):
        for seed in SEEDS:
            first = run(
                "pretrained",
                f"{architecture}: before",
                seed,
                student(architecture),
                METHODS["standard"],
            )
            yield first
            begin = {"student": {"checkpoint": str(first.folder(root) / "checkpoint.pt")}}
            for weight in (0.0, 0.03, 0.1, 0.3):
                settings = {
                    "method": {"name": "kdiga"},
                    "alignments": {"input_gradient": {"weight": weight}},
                }
                label = f"{architecture}: KDIGA {weight:g}" if weight else f"{architecture}: KD"
                fields = run(
                    "pretrained", label, seed, student(architecture), begin, settings, fine
                )
                yield Run("pretrained", label, seed, fields.settings, after=first)


def sizes() -> Iterator[Run]:
    """Claim 10: the same student at four widths."""
    chosen = ("AT", "AT + logits + cov + gram")
    for architecture in SIZES:
        for label in chosen:
            for seed in SEEDS:
                where = f"{architecture}: {label}"
                yield run("sizes", where, seed, student(architecture), ABLATION[label])


def batch_sizes() -> Iterator[Run]:
    """Claim 11: covariance alignment at several batch sizes, the number of epochs fixed."""
    for size in BATCHES:
        for label, settings in BATCH_TERMS.items():
            for seed in SEEDS:
                data = {"data": {"batch_size": size}}
                yield run("batches", f"{size}: {label}", seed, student(CNN), settings, data)
