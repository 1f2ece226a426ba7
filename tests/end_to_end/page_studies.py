"""Studies for MLflow's pages: trials whose places on the front are known, in a store."""

import dataclasses
from datetime import UTC, datetime, timedelta

from trainables.config import TrialConfig
from tuner.exporting.front import write_front
from tuner.records import TrialRecord, TrialState
from tuner.study import StudyConfig
from tuner.tracking.tracker import Publication, default_uri, sync

STARTED = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
STUDY = StudyConfig(name="digits", description="Small students on 8x8 digits.")
SEEDS = StudyConfig(
    name="seeds",
    replicates=2,
    objectives=[
        {"metric": "val/clean_accuracy"},
        {"metric": "val/robust_accuracy"},
        {"metric": "student/parameters", "direction": "minimize"},
    ],
)
FRONT = [0, 2, 4, 6, 8]
OTHERS = [1, 3, 5, 7, 9]


def record(number, state=TrialState.complete, epochs=4):
    """A trial that trades clean for robust accuracy; odd ones are a little worse at both."""
    alignments = {
        "gram": {"weight": 0.01 * 1.5**number},
        "logits": {"weight": 0.2 + 0.3 * number},
    }
    teacher = {"architecture": "small_resnet8"}
    config = TrialConfig.model_validate({"teacher": teacher, "alignments": alignments})
    config = config.model_dump(mode="json")
    worse = 0.03 * (number % 2)
    clean, robust = 0.95 - 0.01 * number - worse, 0.3 + 0.02 * number - worse
    began = STARTED + timedelta(minutes=number)
    reports = tuple(
        {
            "epoch": epoch,
            "timestamp": 1000
            * int((STARTED + timedelta(minutes=number, seconds=epoch)).timestamp()),
            "train/loss": 2 / epoch,
            "val/clean_accuracy": clean * (1 - 0.5**epoch),
            "val/robust_accuracy": robust * (1 - 0.5**epoch),
            "student/parameters": 5000.0,
            "cost/seconds": 60.0,
        }
        for epoch in range(1, epochs + 1)
    )
    return TrialRecord(
        number,
        state,
        "searched",
        "wide",
        config,
        params={"alignments/gram/weight": config["alignments"]["gram"]["weight"]},
        reports=reports,
        values={"val/clean_accuracy": clean, "val/robust_accuracy": robust}
        if state is TrialState.complete
        else {},
        reason="" if state is TrialState.complete else "diverged: loss is nan",
        started=began,
        ended=began + timedelta(minutes=3),
    )


def with_size(trial):
    """The trial with a third objective."""
    return dataclasses.replace(trial, values={**trial.values, "student/parameters": 5000.0})


def bring(results, directory):
    """The study in the store beside its directory, as a driver leaves it."""
    write_front(results, directory / "front")
    (directory / "report.html").write_text("<h1>The report</h1>")
    uri = default_uri(directory)
    publication = Publication(directory / "front", results)
    records = results.records
    sync(results.study, directory, uri, records, publication=publication, status="FINISHED")
    return uri
