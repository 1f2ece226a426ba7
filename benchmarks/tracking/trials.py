"""Trials as the recorder shows them to the tracker, without training any."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from trainables.config import TrialConfig
from trainables.distillation import Distillation
from trainables.machine.hardware import machine
from trainables.models.checkpoints import save_atomically
from tuner.records import TrialRecord, TrialState
from tuner.storage.directory import StudyDirectory
from tuner.study import StudyConfig

METRICS = ("clean_accuracy", "robust_accuracy", *(f"diagnostic_{i}" for i in range(10)))
STARTED = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def study_of(epochs: int) -> StudyConfig:
    """Digits, a small student, no teacher."""
    base = {
        "student": {"architecture": "small_resnet6"},
        "epochs": epochs,
        "hardware": {"device": "cpu"},
    }
    return StudyConfig.model_validate({"name": "tracking", "base": base, "trials": 20})


def history(study: StudyConfig, number: int) -> Iterator[TrialRecord]:
    """A trial from its start to its end: one record when it starts, one per epoch."""
    epochs = study.base.epochs
    config = study.base.model_dump(mode="json")
    reports = tuple(_report(number, epoch) for epoch in range(1, epochs + 1))
    for done in range(epochs + 1):
        ended = done == epochs
        objectives = ("val/clean_accuracy", "val/robust_accuracy")
        yield TrialRecord(
            number,
            TrialState.complete if ended else TrialState.running,
            "searched",
            "",
            config,
            params={"optimizer/learning_rate": 0.1},
            reports=reports[:done],
            values={name: reports[-1][name] for name in objectives} if ended else {},
            started=STARTED + timedelta(minutes=number),
            ended=STARTED + timedelta(minutes=number + 30) if ended else None,
        )


def _report(number: int, epoch: int) -> dict[str, float]:
    when = STARTED + timedelta(minutes=number, seconds=epoch)
    values = {f"val/{name}": 1 - 1 / (epoch + i + number + 1) for i, name in enumerate(METRICS)}
    # the first metric falls from trial to trial, so that some are on the front and some are not
    values["val/clean_accuracy"] -= 0.01 * number
    own = {"epoch": float(epoch), "timestamp": 1000 * when.timestamp()}
    return {**own, "train/loss": 2 / epoch, "cost/seconds": 1.5, **values}


def write_files(study: StudyConfig, place: StudyDirectory, num_trials: int) -> None:
    """What workers leave: config, machine and checkpoint of every trial."""
    config = TrialConfig.model_validate(study.base.model_dump(mode="json"))
    distillation = Distillation.build(config)
    first = place.trial(0)
    first.mkdir(parents=True)
    (first / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    (first / "machine.json").write_text(json.dumps(machine(distillation.hardware)))
    save_atomically({**distillation.state_dict(), "epoch": config.epochs}, first / "checkpoint.pt")
    for number in range(1, num_trials):
        shutil.copytree(first, place.trial(number))
    write_study(study, place.path)


def write_study(study: StudyConfig, directory: Path) -> None:
    """The study's own file."""
    content = yaml.safe_dump(study.model_dump(mode="json"))
    (directory / "study.yaml").write_text(content)
