"""MLflow against a real SQLite store: what is written, once, whatever happens in between."""

import dataclasses
import json
import math
import shutil
import statistics
import time
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from benchmarks.services.service import free_port
from trainables.config import TrialConfig
from tuner.analysis.results import Results
from tuner.records import TrialRecord, TrialState
from tuner.study import StudyConfig
from tuner.tracking.client import MlflowClient
from tuner.tracking.server import serve
from tuner.tracking.study import MlflowStudy
from tuner.tracking.tracker import Tracker, default_uri, sync

STARTED = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
STUDY = StudyConfig(name="digits")
OBJECTIVES = STUDY.objectives


def report(epoch, **metrics):
    """Metrics after an epoch, received an hour after the start and ten seconds apart."""
    received = STARTED + timedelta(hours=1, seconds=10 * epoch)
    values = {"train/loss": 1.5 - epoch / 4, "val/clean_accuracy": 0.2 * epoch}
    robust = {"val/robust_accuracy": 0.1 * epoch}
    when = {"epoch": epoch, "timestamp": int(received.timestamp() * 1000)}
    return {**when, **values, **robust, **metrics}


def record(number=0, state=TrialState.complete, epochs=3, **changes):
    """A trial as the ledger would hold it."""
    config = TrialConfig().model_dump(mode="json")
    config["alignments"]["gram"] = {"weight": 0.5}
    reports = tuple(report(epoch) for epoch in range(1, epochs + 1))
    objectives = {objective.metric: report(epochs)[objective.metric] for objective in OBJECTIVES}
    settings = {
        "label": "searched",
        "teacher": "wide",
        "config": config,
        "reports": reports,
        "values": objectives if state is TrialState.complete else {},
        "started": STARTED,
        "ended": None if state is TrialState.running else STARTED + timedelta(hours=2),
    }
    return TrialRecord(number, state, **{**settings, **changes})


def track(directory, *records, status="FINISHED"):
    tracker = Tracker(STUDY, directory, default_uri(directory))
    tracker.start()
    for newest in records:
        tracker.update(newest)
    return tracker.close(status=status)


def runs(directory, uri=None):
    """The study's own run and its trials' by number, a client to ask more, and how many runs."""
    client = MlflowClient(uri or default_uri(directory))
    experiment = client.get_experiment_by_name(STUDY.name).experiment_id
    (parent,) = client.search_runs([experiment], f"tags.`tuner.directory` = '{directory}'")
    trials = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    found = {run.data.tags["tuner.trial"]: run for run in trials}
    return {"study": parent, **found}, client, 1 + len(trials)


def points(client, run):
    """Every metric point that MLflow holds of a run, as (key, step, timestamp, value)."""
    return sorted(
        (point.key, point.step, point.timestamp, point.value)
        for key in run.data.metrics
        for point in client.get_metric_history(run.info.run_id, key)
    )


def everything(directory, uri=None):
    """All that a person could see of the trials, without the ids that differ by store."""
    found, client, count = runs(directory, uri)
    del found["study"]
    seen = {
        trial: (
            run.info.status,
            run.info.start_time,
            run.info.end_time,
            run.data.params,
            {key: tag for key, tag in run.data.tags.items() if key != "mlflow.parentRunId"},
            points(client, run),
        )
        for trial, run in found.items()
    }
    return count, seen


def kill_children():
    """Every process that this one has started, as ``kill -9`` would."""
    for child in psutil.Process().children(recursive=True):
        child.kill()


def seconds(call, *args):
    begin = time.perf_counter()
    call(*args)
    return time.perf_counter() - begin


def test_trials_are_runs_under_the_one_run_of_their_study(directory):
    through = track(directory, record(0), record(7), record(12))

    found, _, count = runs(directory)
    parent = found.pop("study")
    assert through
    assert count == 4
    assert set(found) == {"0", "7", "12"}
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {parent.info.run_id}
    assert found["7"].info.run_name == "trial 7: wide > cifar_resnet18"
    assert parent.data.tags["tuner.directory"] == str(directory)


def test_a_run_says_who_made_it_with_what(directory):
    track(directory, record())

    tags = runs(directory)[0]["0"].data.tags
    assert tags["mlflow.user"]
    assert tags["mlflow.source.name"]
    made_with = json.loads(tags["tuner.versions"])
    assert {"python", "torch", "ray", "optuna", "mlflow"} <= set(made_with)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "status"),
    [("running", "RUNNING"), ("complete", "FINISHED"), ("stopped", "KILLED"), ("failed", "FAILED")],
)
def test_a_trial_has_the_status_of_what_happened_to_it(directory, state, status):
    track(directory, record(state=TrialState(state), reason="rank 5 of 9"))

    run = runs(directory)[0]["0"]
    assert run.info.status == status
    assert run.data.tags["tuner.state"] == state
    assert run.data.tags["tuner.reason"] == "rank 5 of 9"


def test_a_trial_starts_and_ends_when_the_ledger_says(directory):
    track(directory, record())

    info = runs(directory)[0]["0"].info
    assert info.start_time == STARTED.timestamp() * 1000
    assert info.end_time - info.start_time == 2 * 3600 * 1000


def test_every_report_is_a_point_at_its_epoch_and_its_own_time(directory):
    track(directory, record(epochs=2, state=TrialState.running))

    found, client, _ = runs(directory)
    first, second = (report(epoch)["timestamp"] for epoch in (1, 2))
    assert points(client, found["0"]) == [
        ("train/loss", 1, first, 1.25),
        ("train/loss", 2, second, 1.0),
        ("val/clean_accuracy", 1, first, 0.2),
        ("val/clean_accuracy", 2, second, 0.4),
        ("val/robust_accuracy", 1, first, 0.1),
        ("val/robust_accuracy", 2, second, 0.2),
    ]


def test_only_a_complete_trial_has_final_metrics(directory):
    track(directory, record(0, epochs=2), record(1, TrialState.stopped, epochs=2))

    found, _, _ = runs(directory)
    assert found["0"].data.metrics["final/clean_accuracy"] == 0.4
    assert found["0"].data.metrics["final/robust_accuracy"] == 0.2
    assert not [key for key in found["1"].data.metrics if key.startswith("final/")]


def test_the_config_is_there_by_path_and_by_the_names_that_people_look_for(directory):
    track(directory, record())

    params = runs(directory)[0]["0"].data.params
    short = {key: params[key] for key in ("alpha", "beta", "gamma", "lambda", "teacher", "student")}
    assert params["alignments/gram/weight"] == "0.5"
    assert params["optimizer/learning_rate"] == "0.1"
    assert short == {
        "alpha": "0",
        "beta": "0",
        "gamma": "0.5",
        "lambda": "0",
        "teacher": "wide",
        "student": "cifar_resnet18",
    }


def test_a_trial_says_what_it_is_why_it_failed_and_what_it_cost(directory):
    costly = tuple({**report(epoch), "cost/seconds": 2.5} for epoch in (1, 2))
    reason = "out of memory: CUDA out of memory"

    track(directory, record(state=TrialState.failed, reports=costly, reason=reason, repeats=3))

    run = runs(directory)[0]["0"]
    tags = run.data.tags
    assert (tags["tuner.method"], tags["tuner.teacher"]) == ("adversarial_training", "wide")
    assert tags["tuner.cause"] == "out of memory"
    assert tags["tuner.repeats"] == "3"
    assert tags["tuner.seconds"] == "5.0"
    assert run.data.metrics["cost/total_seconds"] == 5
    assert run.data.metrics["cost/gpu_seconds"] == 0


def test_the_studys_run_sums_up_its_trials(directory):
    costly = tuple({**report(epoch), "cost/seconds": 2.5} for epoch in (1, 2))

    track(directory, record(0, reports=costly), record(1, reports=costly))

    parent = runs(directory)[0]["study"].data
    assert parent.tags["tuner.seconds"] == "10.0"
    assert parent.tags["tuner.method"] == "adversarial_training"
    assert parent.tags["tuner.threat"].startswith("linf")
    assert parent.params["search_space"] == "digits"


def test_a_study_that_is_brought_later_took_the_time_of_its_trials(directory):
    later = record(1, started=STARTED + timedelta(hours=1), ended=STARTED + timedelta(hours=5))
    study = Results(STUDY, [later, record(0)])

    sync(
        STUDY,
        directory,
        default_uri(directory),
        study.records,
        results=study,
        status="FINISHED",
    )

    info = runs(directory)[0]["study"].info
    assert info.start_time == int(STARTED.timestamp() * 1000)
    assert info.end_time - info.start_time == 5 * 3600 * 1000


def test_every_trial_has_its_data_as_inputs_once(directory):
    track(directory, record())

    track(directory, record())

    inputs = runs(directory)[0]["0"].inputs.dataset_inputs
    assert [item.dataset.name for item in inputs] == ["digits (train)", "digits (validation)"]


def test_values_that_are_not_finite_are_left_out_and_named(directory):
    broken = report(1, **{"train/loss": math.nan, "val/variance_gap": math.inf})

    track(directory, record(state=TrialState.failed, reports=(broken,)))

    run = runs(directory)[0]["0"]
    assert set(run.data.metrics) == {"val/clean_accuracy", "val/robust_accuracy"}
    assert run.data.tags["tuner.non_finite"] == "train/loss, val/variance_gap"


def test_writing_a_study_again_changes_nothing(directory):
    track(directory, record(0), record(1, TrialState.stopped))
    before = everything(directory)

    track(directory, record(0), record(1, TrialState.stopped))

    assert everything(directory) == before
    assert before[0] == 3


class FaultyClient(MlflowClient):
    """MLflow's client, counting what it sends of a trial; one request breaks.

    ``fault_at`` is the request that breaks, from 1; ``arrives`` tells whether the server has
    carried it out when the connection breaks.
    """

    requests = 0
    fault_at = 0
    arrives = False

    def create_run(self, *args, **kwargs):
        return self._send(super().create_run, *args, **kwargs)

    def log_batch(self, *args, **kwargs):
        return self._send(super().log_batch, *args, **kwargs)

    def log_inputs(self, *args, **kwargs):
        return self._send(super().log_inputs, *args, **kwargs)

    def update_run(self, *args, **kwargs):
        return self._send(super().update_run, *args, **kwargs)

    def set_terminated(self, *args, **kwargs):
        return self._send(super().set_terminated, *args, **kwargs)

    def _send(self, call, *args, **kwargs):
        self.requests += 1
        breaks = self.requests == self.fault_at
        answer = None if breaks and not self.arrives else call(*args, **kwargs)
        if breaks:
            raise ConnectionResetError("the connection broke")
        return answer


def open_faulty(directory, *, fault_at=0, arrives=False):
    """The study's page, opened through a client whose faults begin now."""
    client = FaultyClient(default_uri(directory))
    study = MlflowStudy(client, STUDY, directory)
    client.requests, client.fault_at, client.arrives = 0, fault_at, arrives
    return study


HISTORY = [
    record(state=TrialState.running, epochs=0),
    record(state=TrialState.running, epochs=1),
    record(state=TrialState.running, epochs=2),
    record(),  # the last report and the end come together
]
MOST_REQUESTS = 3 + 4  # epochs + 4


def write_history(study):
    for snapshot in HISTORY:
        study.write(snapshot)


@pytest.fixture(scope="module")
def undisturbed(shared):
    """What a store holds in which nothing broke."""
    directory = shared / "undisturbed"
    sync(STUDY, directory, default_uri(directory), HISTORY[-1:])
    return everything(directory)


def test_a_trial_written_step_by_step_equals_one_written_at_once(directory, undisturbed):
    study = open_faulty(directory)

    write_history(study)

    assert everything(directory) == undisturbed
    assert study.client.requests == MOST_REQUESTS


@pytest.mark.slow
@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("fault_at", range(1, MOST_REQUESTS + 1))
def test_a_driver_killed_at_any_request_is_continued(directory, undisturbed, fault_at, arrives):
    killed = open_faulty(directory, fault_at=fault_at, arrives=arrives)
    with pytest.raises(ConnectionResetError):
        write_history(killed)

    sync(STUDY, directory, default_uri(directory), HISTORY[-1:])

    assert everything(directory) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("fault_at", range(1, MOST_REQUESTS + 1))
def test_a_driver_survives_a_fault_at_any_request(directory, undisturbed, fault_at, arrives):
    study = open_faulty(directory, fault_at=fault_at, arrives=arrives)
    with pytest.raises(ConnectionResetError):
        write_history(study)

    study.write(HISTORY[-1])

    assert everything(directory) == undisturbed


def test_a_request_that_arrived_after_all_leaves_no_second_run(directory):
    track(directory, record())
    found, client, _ = runs(directory)
    late = found["0"]
    client.create_run(
        late.info.experiment_id, start_time=late.info.start_time + 1, tags=late.data.tags
    )

    track(directory, record())

    found, _, count = runs(directory)
    assert count == 2
    assert found["0"].info.run_id == late.info.run_id


@pytest.mark.slow
def test_a_run_that_a_person_deletes_is_written_again_and_holds_up_nobody(directory):
    tracker = Tracker(STUDY, directory, default_uri(directory))
    tracker.start()
    tracker.update(record(0, TrialState.running, epochs=1))
    while tracker.behind or "0" not in runs(directory)[0]:
        time.sleep(0.01)
    deleted = runs(directory)[0]["0"].info.run_id
    MlflowClient(default_uri(directory)).delete_run(deleted)

    tracker.update(record(0))
    tracker.update(record(1))

    assert tracker.close(status="FINISHED")
    found, client, _ = runs(directory)
    assert found["0"].info.run_id != deleted
    assert len(points(client, found["0"])) == len(points(client, found["1"])) == 3 * 3 + 2


def test_a_study_that_goes_on_is_running_again_until_it_ends(directory):
    track(directory, record(), status="KILLED")
    tracker = Tracker(STUDY, directory, default_uri(directory))

    tracker.start()
    resumed = runs(directory)[0]["study"].info.status
    tracker.close(status="FINISHED")

    assert resumed == "RUNNING"
    assert runs(directory)[0]["study"].info.status == "FINISHED"


def test_no_trial_of_a_study_that_was_stopped_runs_until_it_goes_on(directory):
    unfinished = record(1, TrialState.running, epochs=2)
    track(directory, record(0), unfinished, status="KILLED")
    stopped = runs(directory)[0]["1"]
    tracker = Tracker(STUDY, directory, default_uri(directory))

    tracker.start()
    tracker.update(record(1, TrialState.running, epochs=3))
    tracker.close(status="FINISHED")

    again = runs(directory)[0]["1"]
    assert (stopped.info.status, stopped.data.tags["tuner.state"]) == ("KILLED", "unfinished")
    assert (again.info.status, again.data.tags["tuner.state"]) == ("RUNNING", "running")
    assert runs(directory)[0]["0"].info.status == "FINISHED"


def test_a_trial_that_goes_on_is_running_again(directory):
    track(directory, record(state=TrialState.failed, epochs=1, reason="out of memory"))

    track(directory, record(state=TrialState.running, epochs=2))

    run = runs(directory)[0]["0"]
    assert run.info.status == "RUNNING"
    assert run.data.tags["tuner.reason"] == ""
    assert run.data.metrics["val/clean_accuracy"] == 0.4


def test_a_server_that_is_not_there_is_one_sentence_with_the_remedy(directory):
    tracker = Tracker(STUDY, directory, "http://127.0.0.1:9")

    with pytest.raises(ConnectionError) as caught:
        tracker.start()

    assert str(caught.value).startswith("MLflow does not answer at http://127.0.0.1:9 (")
    assert "tracking.uri" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_deleted_experiment_is_one_sentence_with_the_remedy(directory):
    client = MlflowClient(default_uri(directory))
    client.delete_experiment(client.create_experiment("gone"))
    study = StudyConfig(name="gone")

    with pytest.raises(ConnectionError, match="experiment 'gone' is deleted; restore it"):
        sync(study, directory, default_uri(directory), [])


@pytest.mark.end_to_end
def test_a_server_that_is_killed_midway_costs_nothing_but_time(shared, directory):
    steps = [dataclasses.replace(step, number=n) for step in HISTORY for n in range(8)]
    late = shared / "late" / "mlflow.db"
    reference = shared / "reference"
    with serve(f"sqlite:///{late}", free_port()) as base:
        tracker = Tracker(STUDY, directory, base)
        tracker.start()
        for step in steps[:12]:
            tracker.update(step)
        while tracker.behind > 6:
            time.sleep(0.001)
        kill_children()

    waited = statistics.median(seconds(tracker.update, step) for step in steps[12:])
    gave_up = tracker.behind
    with serve(f"sqlite:///{late}", int(base.rpartition(":")[2])):
        through = tracker.close(status="FINISHED")

    reference.mkdir()
    shutil.copy(directory / "origins.json", reference)  # else the commit is not known there
    sync(STUDY, reference, default_uri(reference), steps[-8:])
    assert gave_up
    assert through
    assert waited < 0.05  # most of them: a busy machine may stop us at any moment
    assert everything(directory, f"sqlite:///{late}") == everything(reference)


@pytest.mark.end_to_end
def test_a_sync_whose_server_dies_midway_is_one_sentence_and_can_be_repeated(shared, directory):
    uri = f"sqlite:///{shared / 'dying' / 'mlflow.db'}"

    def killing_after_the_first():
        yield record(0)
        kill_children()
        yield record(1)

    port, silent = free_port(), "does not answer at http"
    with serve(uri, port) as base, pytest.raises(ConnectionError, match=silent):
        sync(STUDY, directory, base, killing_after_the_first())
    before = set(runs(directory, uri)[0])
    agreed = sync(STUDY, directory, uri, [record(0), record(1)])

    assert before == {"study", "0"}
    assert agreed == 2
    assert runs(directory, uri)[2] == 3


def test_a_sync_rebuilds_an_empty_store_and_counts_what_agrees(directory):
    trials = [record(0), record(1, TrialState.failed), record(2, TrialState.stopped)]

    agreed = sync(STUDY, directory, default_uri(directory), trials, status="FINISHED")

    found, _, count = runs(directory)
    assert agreed == 3
    assert count == 4
    assert found["study"].info.status == "FINISHED"


def test_studies_in_one_directory_share_a_store_beside_it(tmp_path):
    uri = default_uri(tmp_path / "runs" / "digits")

    assert uri == f"sqlite:///{tmp_path}/runs/mlflow.db"
