"""Synthetic trials with real trial configs: a study without training anything."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from trainables.config import TrialConfig, merge
from tuner.analysis.results import Results
from tuner.records import TrialRecord, TrialState
from tuner.study import StudyConfig

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
IMAGES = 360
PARAMETERS = {"small_resnet6": 19_700, "small_resnet8": 78_042, "vit_pico_patch2_8": 41_300}
TERMS = {"alpha": "logits", "beta": "covariance", "gamma": "gram", "lambda": "input_gradient"}
KD = {"name": "kd", "temperature": 4.0}


def make_config(
    student: str = "small_resnet8", *, method: Any = None, **weights: float
) -> dict[str, Any]:
    """A real trial config as JSON types, with an alignment per weight above 0."""
    overrides: dict[str, Any] = {
        "student": {"architecture": student},
        "teacher": {"architecture": "small_wide_resnet10"},
        "threat": {"epsilon": 0.15},
        "epochs": 12,
        "alignments": {
            TERMS[symbol]: {"weight": weight} for symbol, weight in weights.items() if weight
        },
    }
    if method:
        overrides["method"] = method
    return TrialConfig.model_validate(merge({}, overrides)).model_dump(mode="json")


def make_record(
    number: int,
    *values: float,
    state: TrialState = TrialState.complete,
    label: str = "searched",
    student: str = "small_resnet8",
    teacher: str = "wide",
    config: dict[str, Any] | None = None,
    reason: str = "",
    images: int | None = IMAGES,
    metrics: tuple[str, ...] = ("val/clean_accuracy", "val/robust_accuracy", "student/parameters"),
) -> TrialRecord:
    """One trial; ``values`` are its objectives in the order of ``metrics``."""
    objectives = dict(zip(metrics, values, strict=False))
    report: dict[str, float] = {
        "epoch": 12.0,
        "timestamp": 1.77e12,
        "student/parameters": float(PARAMETERS.get(student, 1000)),
        **objectives,
    }
    if images is not None:
        report["val/count"] = float(images)
    return TrialRecord(
        number,
        state,
        label,
        teacher,
        config or make_config(student),
        reports=(report,) if values else (),
        values=objectives if state == TrialState.complete else {},
        reason=reason,
        started=START + timedelta(minutes=number),
        ended=None if state == TrialState.running else START + timedelta(minutes=number + 3),
    )


def make_study(**settings: Any) -> StudyConfig:
    """A valid study; settings as in the file."""
    return StudyConfig.model_validate({"name": "digits-small", **settings})


def make_results(*points: tuple[float, ...], **settings: Any) -> Results:
    """A study whose complete trials 0, 1, … have these objectives."""
    return Results(
        make_study(**settings), [make_record(i, *point) for i, point in enumerate(points)]
    )


def make_search(seed: int = 0, num_trials: int = 48) -> Results:
    """A search that looks real: two students, four baselines, stopped and failed trials."""
    generator = np.random.default_rng(seed)
    students = ["small_resnet8", "small_resnet6"]
    records = [
        _searched(i, students[int(generator.integers(2))], generator) for i in range(num_trials)
    ]
    records[7] = make_record(
        7, state=TrialState.failed, reason="loss is not finite in epoch 3: nan"
    )
    records[19] = make_record(
        19, state=TrialState.failed, reason="CUDA out of memory: <tried> 2 GiB & more"
    )
    for number in (11, 23, 31):
        records[number] = make_record(
            number,
            0.71,
            0.2,
            state=TrialState.stopped,
            reason="rank 5 of 9 at rung 4; the best 3 go on",
        )
    records[-1] = make_record(num_trials - 1, 0.9, 0.4, state=TrialState.running)
    description = "Small students on 8x8 digits: what do the alignment weights buy?"
    teachers = {"wide": {"architecture": "small_wide_resnet10"}}
    study = make_study(description=description, teachers=teachers, trials=num_trials + 4)
    return Results(study, records + _baselines(num_trials, students))


def _searched(number: int, student: str, generator: np.random.Generator) -> TrialRecord:
    weights = {symbol: float(10 ** generator.uniform(-2, 1.5)) for symbol in TERMS}
    weights["beta"] *= float(generator.random() > 0.3)
    trade = 1 / (1 + weights["alpha"] / 2)
    luck = abs(generator.normal(0, 0.03)) + (0.02 if student == "small_resnet6" else 0)
    clean = 0.985 - 0.16 * (1 - trade) ** 2 - luck - 0.0004 * weights["gamma"]
    robust = 0.36 + 0.26 * (1 - trade) ** 0.6 - 2 * luck - 0.001 * weights["lambda"]
    rounded = [round(value * IMAGES) / IMAGES for value in (clean, robust)]
    label = "searched" if number else "paper"
    return make_record(
        number, *rounded, student=student, label=label, config=make_config(student, **weights)
    )


def _baselines(first: int, students: list[str]) -> list[TrialRecord]:
    values = {"L_AT only": (0.944, 0.461), "plain KD": (0.983, 0.119)}
    methods: dict[str, Any] = {"L_AT only": None, "plain KD": KD}
    return [
        make_record(
            first + 2 * i + j,
            clean - 0.014 * i,
            robust - 0.03 * i,
            label=label,
            student=student,
            teacher="" if label == "L_AT only" else "wide",
            config=make_config(student, method=methods[label]),
        )
        for i, student in enumerate(students)
        for j, (label, (clean, robust)) in enumerate(values.items())
    ]
