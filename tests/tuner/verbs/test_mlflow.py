"""The verbs sync and ui, on studies that were written without training anything."""

import pytest
from make_records import make_record, make_study
from make_verification import EPSILON, make_member, make_verification
from typer.testing import CliRunner
from written_study import write_results

from benchmarks.services.service import free_port
from tuner.analysis.results import Results
from tuner.cli import app
from tuner.records import TrialState
from tuner.tracking.client import connect
from tuner.tracking.server import serve
from tuner.tracking.tracker import default_uri
from tuner.verification.files import write_files


def two_of(trials, *, second=TrialState.complete):
    """A study of so many trials, two of which were begun."""
    records = [
        make_record(0, 0.95, 0.3, teacher=""),
        make_record(1, 0.9, 0.5, teacher="", state=second),
    ]
    return Results(make_study(trials=trials, base={"threat": {"epsilon": EPSILON}}), records)


def run(verb, directory, *arguments):
    """A verb on a study; what it printed."""
    result = CliRunner().invoke(app, [verb, str(directory), *arguments])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def runs(directory):
    """The study's run, and its trials' by number."""
    client = connect(default_uri(directory))
    experiments = [each.experiment_id for each in client.search_experiments()]
    found = client.search_runs(experiments, max_results=100)
    (own,) = [r for r in found if r.data.tags.get("tuner.directory") == str(directory.resolve())]
    trials = [r for r in found if r.data.tags.get("mlflow.parentRunId") == own.info.run_id]
    return own, {run.data.tags["tuner.trial"]: run for run in trials}


@pytest.mark.slow
def test_a_study_that_nobody_runs_is_not_running_in_mlflow(directory):
    write_results(two_of(3, second=TrialState.running), directory)

    run("sync", directory)

    own, trials = runs(directory)
    assert own.info.status == "KILLED"
    assert {number: each.info.status for number, each in trials.items()} == {
        "0": "FINISHED",
        "1": "KILLED",
    }


@pytest.mark.slow
def test_a_study_some_of_whose_trials_were_never_begun_is_not_finished(directory):
    write_results(two_of(3), directory)

    run("sync", directory)

    assert runs(directory)[0].info.status == "KILLED"


@pytest.mark.slow
def test_a_sync_brings_the_verified_numbers_too(directory):
    results = two_of(2)
    write_results(results, directory)
    verified = make_verification(results, make_member(results, 1, (264, 120)))
    write_files(verified, directory / "verification")

    run("sync", directory)

    own, trials = runs(directory)
    assert trials["1"].data.metrics["test/autoattack_accuracy"] == pytest.approx(120 / 300)
    kept = connect(default_uri(directory)).list_artifacts(own.info.run_id)
    assert {"verification", "report.html"} <= {file.path for file in kept}


@pytest.mark.slow
def test_of_a_server_that_runs_already_the_pages_are_printed_and_what_is_behind(shared, directory):
    write_results(two_of(2), directory)
    with serve(f"sqlite:///{shared / 'mlflow.db'}", free_port()) as base:
        behind = run("ui", directory, "--tracking-uri", base)
        run("sync", directory, "--tracking-uri", base)
        there = run("ui", directory, "--tracking-uri", base)

    first, *links = behind.splitlines()
    assert first == f"MLflow holds 0 of 2 trials; bring the rest with: tuner sync {directory}"
    assert [line.split()[0] for line in links] == ["front:", "study:"]
    assert [line.split()[0] for line in there.splitlines()] == ["front:", "compare:", "study:"]
