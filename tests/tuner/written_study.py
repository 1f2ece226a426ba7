"""A study in a directory, as a driver leaves it, without training anything."""

import math

from trainables.config import TrialConfig
from tuner.records import Cause, TrialState
from tuner.search.proposals import Proposal
from tuner.search.search import Search
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig

STUDY = {
    "name": "small",
    "trials": 12,
    "base": {"epochs": 2, "student": {"architecture": "small_resnet6"}},
    "teachers": {"resnet": {"architecture": "small_resnet8"}},
    "sampler": {"name": "random"},
    "scheduler": {"name": "fifo"},
}


def write_results(results, folder):
    """A study as its records have it, in ``folder``; returns its directory."""
    place = StudyDirectory(folder)
    place.claim(results.study)
    ledger = Ledger(results.study, place.path)
    for record in sorted(results.records, key=lambda record: record.number):
        config = TrialConfig.model_validate(record.config)
        ledger.enter(Proposal(config, record.label, record.teacher, record.params))
        for report in record.reports:
            ledger.report(record.number, report)
        if record.state == TrialState.complete:
            ledger.complete(record.number)
        elif record.state == TrialState.failed:
            ledger.fail(record.number, record.reason)
        elif record.state == TrialState.stopped:
            ledger.stop(record.number, record.reason)
    return place.path


def write_study(folder, name="small", **changes):
    """Trial 0 diverged, trials 1 to 11 trade clean for robust accuracy; returns the directory."""
    study = StudyConfig.model_validate({**STUDY, "name": name, **changes})
    place = StudyDirectory(folder / name)
    place.claim(study)
    search = Search(study, Ledger(study, place.path), patience=math.inf)
    search.ask()
    search.fail(0, f"{Cause.diverged}: nan")
    for number in range(1, 12):
        search.ask()
        for epoch in (1, 2):
            accuracies = {
                "val/clean_accuracy": 0.9 - 0.01 * number,
                "val/robust_accuracy": 0.2 * epoch + 0.01 * number,
            }
            report = {"epoch": epoch, **accuracies, "val/count": 100.0, "cost/seconds": 3.0}
            search.report(number, report, done=epoch == 2)
    return place.path
