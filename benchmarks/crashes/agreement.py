"""What has to hold after the end of a study, whatever was killed on the way."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from benchmarks.crashes.driver import Victim
from tuner.records import Cause, TrialRecord, TrialState
from tuner.search.judged import judged
from tuner.search.judges import create_judge, rebuild
from tuner.search.remaining import missing, wanted
from tuner.study import StudyConfig
from tuner.study_file import load_trial
from tuner.tracking.records import STATUS, final_name
from tuner.tracking.tracker import default_uri


def disagreements(victim: Victim, *, uri: str | None = None) -> list[str]:
    """Every promise that does not hold, in words; an empty list is what is promised."""
    study, records = victim.directory.study(), victim.records()
    found = [*_trials(study, records), *_files(victim, records), *_trace(victim, records)]
    if study.tracking.enabled:
        client = MlflowClient(uri or default_uri(victim.directory.path))
        found += _mlflow(client, study, records)
    return found


def _trials(study: StudyConfig, records: Sequence[TrialRecord]) -> Iterator[str]:
    if len(records) != wanted(study, records):
        yield f"{len(records)} trials instead of {wanted(study, records)}"
    if left := missing(study, records):
        yield f"{left} trials did not end"
    if [record.number for record in records] != list(range(len(records))):
        yield "numbers have gaps"
    if verdicts := rebuild(create_judge(study), records):
        yield f"verdicts are left: {verdicts}"
    for record in records:
        yield from _trial(study, record)


def _trial(study: StudyConfig, record: TrialRecord) -> Iterator[str]:
    epochs = [int(report["epoch"]) for report in record.reports]
    name = f"trial {record.number} ({record.state})"
    if epochs != list(range(1, len(epochs) + 1)):
        yield f"{name} reported epochs {epochs}"
    if record.state == TrialState.complete:
        if len(epochs) != study.base.epochs:
            yield f"{name} has {len(epochs)} of {study.base.epochs} epochs"
        if any(record.values[key] != record.metrics[key] for key in record.values):
            yield f"{name} has values {record.values}, but reported {record.metrics}"
    elif record.state == TrialState.stopped:
        rungs = getattr(study.scheduler, "milestones", lambda _: [])(study.base.epochs)
        if not judged(record) or not epochs or epochs[-1] not in rungs or not record.reason:
            yield f"{name} was stopped at {epochs}: {record.reason}"
    elif record.cause != Cause.worker_died:
        yield f"{name} failed: {record.reason}"


def _files(victim: Victim, records: Sequence[TrialRecord]) -> Iterator[str]:
    directory = victim.directory
    for place in (directory.report, directory.front / "front.csv", directory.front / "front.html"):
        if not place.is_file() or not place.stat().st_size:
            yield f"{place} is not there"
    folders = sorted(path.name for path in (directory.path / "trials").iterdir())
    if folders != [directory.trial(record.number).name for record in records]:
        yield f"folders of trials are {folders}"
    for record in records:
        yield from _folder(directory.trial(record.number), record)
        weights = directory.trial_file(record.number, "checkpoint.pt")
        if record.state == TrialState.complete and not weights.is_file():
            yield f"{weights} is not there"


def _folder(folder: Path, record: TrialRecord) -> Iterator[str]:
    if not (folder / "config.yaml").is_file() or not (folder / "metrics.csv").is_file():
        yield f"{folder} lacks config.yaml or metrics.csv"
        return
    if load_trial(folder / "config.yaml").model_dump(mode="json") != record.config:
        yield f"{folder}/config.yaml is not what the ledger holds"
    with (folder / "metrics.csv").open() as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    if rows != [dict(report) for report in record.reports]:
        yield f"{folder}/metrics.csv is not what the ledger holds"


def _mlflow(
    client: MlflowClient, study: StudyConfig, records: Sequence[TrialRecord]
) -> Iterator[str]:
    experiment = client.get_experiment_by_name(study.name)
    if experiment is None:
        yield "MLflow has no experiment"
        return
    runs = list(client.search_runs([experiment.experiment_id], max_results=1000))
    parents = [run for run in runs if "tuner.trial" not in run.data.tags]
    if [run.info.status for run in parents] != ["FINISHED"]:
        yield f"MLflow's runs of the study are {[run.info.status for run in parents]}"
    children: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        if "tuner.trial" in run.data.tags:
            children[int(run.data.tags["tuner.trial"])].append(run)
    if sorted(children) != [record.number for record in records]:
        yield f"MLflow has trials {sorted(children)}"
    for record in records:
        yield from _run(client, record, children[record.number])


def _run(client: MlflowClient, record: TrialRecord, runs: list[Run]) -> Iterator[str]:
    name = f"MLflow's trial {record.number}"
    if len(runs) != 1:
        yield f"{name} has {len(runs)} runs"
        return
    run = runs[0]
    if run.info.status != STATUS[record.state]:
        yield f"{name} is {run.info.status}, the ledger's {record.state}"
    for metric, value in record.values.items():
        if run.data.metrics.get(final_name(metric)) != value:
            yield f"{name} has other final values than the ledger"
    history = client.get_metric_history(run.info.run_id, "val/robust_accuracy")
    logged = [(point.step, point.value) for point in sorted(history, key=lambda p: p.step)]
    if logged != [(int(r["epoch"]), r["val/robust_accuracy"]) for r in record.reports]:
        yield f"{name} has points {logged}"


def _trace(victim: Victim, records: Sequence[TrialRecord]) -> Iterator[str]:
    """No epoch is trained again that was saved; no trial is forgotten at a rung."""
    searched = {record.number for record in records if judged(record)}
    saved: dict[int, int] = defaultdict(int)
    stored: dict[int, int] = defaultdict(int)
    arrived: dict[int, set[int]] = defaultdict(set)
    slack = victim.directory.study().resources.max_concurrent - 1  # reports on their way
    for kind, trial, value, *more in (e for e in victim.events() if e[0] != "entered"):
        number, epoch = int(trial), int(value)
        if kind == "saved":
            saved[number] = max(saved[number], epoch)
        elif kind == "stored":
            stored[number] = max(stored[number], epoch)
            if number in searched:
                arrived[epoch].add(number)
        elif kind == "begun" and epoch < max(saved[number], stored[number] - 1):
            yield f"trial {number} went back to epoch {epoch}, {saved[number]} was saved"
        elif kind == "judged" and int(more[0]) < len(arrived[epoch]) - slack:
            yield f"rung {epoch} held {more[0]} of {len(arrived[epoch])} trials"
