"""A trial that runs out of memory is tried once more, and told of."""

import io
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from make_records import make_config, make_record, make_results, make_study
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from rich.console import Console

from tuner.analysis.results import Results
from tuner.analysis.status import Status, as_json
from tuner.analysis.status_view import show_status
from tuner.exporting.config_files import load_trial_config, write_config
from tuner.records import TrialState
from tuner.reporting.cost import failures_section
from tuner.running.progress import JsonProgress, LineProgress
from tuner.running.recorder import Recorder
from tuner.running.second_try import SecondTry, plan
from tuner.running.tally import Tally
from tuner.search.scheduler import LedgerScheduler
from tuner.search.search import Search
from tuner.search.searcher import LedgerSearcher
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger
from tuner.storage.trial_files import TrialFiles
from tuner.study import ResourcesConfig
from tuner.tracking.records import params, tags

FULL = "out of memory: OutOfMemoryError: tried to allocate 2.00 GiB (see error.log)"
KILLED = (
    "Failure # 1 (occurred at 2026-11-21_20-00-00)\nTask was killed due to the node running low on "
    "memory.\nMemory on the node (IP: 10.0.0.1) was 30.4GB / 32.0GB"
)
WORDS = "memory: tried again with 2 micro-batches from epoch 3"


@pytest.fixture
def opened(tmp_path):
    """``opened(**resources)``: the search of a study of three trials, as a new driver opens it."""

    def begin(**resources):
        study = make_study(
            trials=3,
            base={"epochs": 9, "student": {"architecture": "small_resnet6"}},
            teachers={"resnet": {"architecture": "small_resnet8"}},
            sampler={"name": "random"},
            scheduler={"name": "fifo"},
            resources=resources,
        )
        return Search(study, Ledger(study, tmp_path), patience=math.inf)

    return begin


def searcher_of(search, at_once=1):
    return LedgerSearcher(search, StudyDirectory(Path("runs/x")), at_once=at_once)


def report(epoch):
    return {"epoch": epoch, "val/clean_accuracy": 0.9, "val/robust_accuracy": 0.4}


def after_two_epochs(search):
    """A trial that ran out of memory in its third epoch."""
    number = search.ask().number
    search.report(number, report(1))
    search.report(number, report(2))
    return search.report(number, {"epoch": 2, "cost/seconds": 3.0}, failure=FULL, done=True)


def tried_again(number=0, state=TrialState.running):
    return replace(make_record(number, 0.9, 0.4, state=state), second_try=SecondTry(3, 2))


def test_it_stays_running_with_smaller_parts_from_the_epoch_that_failed(opened):
    record = after_two_epochs(opened())

    assert record.state == TrialState.running
    assert record.config["accumulation"] == {"micro_batches": 2, "from_epoch": 3}
    assert str(record.second_try) == WORDS


def test_the_last_report_is_not_lost_to_the_epoch_that_failed(opened):
    record = after_two_epochs(opened())

    assert [stored["val/clean_accuracy"] for stored in record.reports] == [0.9, 0.9]


def test_who_had_no_room_for_its_first_epoch_has_no_report(opened):
    search = opened()
    number = search.ask().number

    record = search.report(number, {"epoch": 0, "cost/seconds": 3.0}, failure=FULL, done=True)

    assert record.reports == ()
    assert record.second_try == SecondTry(1, 2)


def test_the_second_time_it_has_failed(opened):
    search = opened()
    number = after_two_epochs(search).number

    record = search.report(number, {"epoch": 2}, failure=FULL, done=True)

    assert record.state == TrialState.failed
    assert record.reason == FULL


def test_a_new_driver_goes_on_with_the_second_try_and_grants_no_third(opened):
    number = after_two_epochs(opened()).number
    restarted = opened()

    given = searcher_of(restarted).suggest("ray trial")
    record = restarted.report(number, {"epoch": 2}, failure=FULL, done=True)

    assert given["trial"]["accumulation"] == {"micro_batches": 2, "from_epoch": 3}
    assert record.state == TrialState.failed


def test_other_failures_are_not_tried_again(opened):
    search = opened()
    number = search.ask().number

    record = search.report(number, {"epoch": 0}, failure="raised: KeyError: 'x'", done=True)

    assert (record.state, record.second_try) == (TrialState.failed, None)


def test_who_shared_a_gpu_is_tried_alone_after_all_other_trials_have_begun(opened):
    search = opened(gpus=0.5)
    searcher = searcher_of(search, at_once=2)
    first, second = searcher.suggest("a"), searcher.suggest("b")
    search.report(first["number"], {"epoch": 0}, failure=FULL, done=True)
    searcher.on_trial_complete("a")

    third = searcher.suggest("c")
    searcher.on_trial_complete("b")
    last = searcher.suggest("d")

    assert [second["number"], third["number"], last["number"]] == [1, 2, 0]
    assert (first["alone"], last["alone"]) == (False, True)
    assert "accumulation" not in last["trial"]
    assert (first["attempt"], last["attempt"]) == (0, 1)


def test_the_searcher_hands_it_out_once_more_and_ends_when_it_has_ended(opened):
    search = opened()
    searcher = searcher_of(search)
    numbers = []
    while isinstance(given := searcher.suggest(str(len(numbers))), dict):
        numbers.append(given["number"])
        full = given["number"] == 1
        search.report(given["number"], report(9), failure=FULL if full else "", done=True)
        searcher.on_trial_complete(str(len(numbers) - 1))

    assert numbers == [0, 1, 1, 2]
    assert given == "FINISHED"


@pytest.mark.parametrize(
    ("resources", "config", "expected"),
    [
        ({}, {}, SecondTry(5, 2)),
        ({"gpus": 1}, {"accumulation": {"micro_batches": 2}}, SecondTry(5, 4)),
        ({"gpus": 1}, {"accumulation": {"micro_batches": 2, "from_epoch": 9}}, SecondTry(5, 2)),
        ({"gpus": 0.25}, {}, SecondTry(5)),
        ({"gpus": 0.5, "workers": 2}, {}, SecondTry(5, 2)),
        ({"workers": 32}, {}, SecondTry(5, 2)),
        ({"workers": 64}, {}, None),
    ],
)
def test_what_is_done_depends_on_what_it_had(resources, config, expected):
    whole = {"data": {"batch_size": 128}, **config}

    assert plan(ResourcesConfig(**resources), whole, epochs_done=4) == expected


class Controller:
    """Ray's, as far as a scheduler asks it to stop a trial."""

    def __init__(self):
        self.stopped = []

    def request_stop_trial(self, trial):
        self.stopped.append(trial)


def test_who_was_killed_by_rays_memory_monitor_does_not_run_again_as_it_was(opened):
    search, controller = opened(), Controller()
    number = search.ask().number
    trial = SimpleNamespace(config={"number": number}, get_error=lambda: KILLED)

    LedgerScheduler(search).on_trial_error(controller, trial)

    assert controller.stopped == [trial]
    assert search.ledger.record(number).second_try == SecondTry(1, 2)


def test_a_death_that_nobody_explains_is_left_to_ray(opened):
    search, controller = opened(), Controller()
    number = search.ask().number
    later = f"{KILLED}\nFailure # 2 (occurred at …)\nThe actor died unexpectedly."
    trial = SimpleNamespace(config={"number": number}, get_error=lambda: later, status="RUNNING")

    LedgerScheduler(search).on_trial_error(controller, trial)

    assert not controller.stopped
    assert search.ledger.record(number).second_try is None


def test_the_scheduler_stops_the_ray_trial_that_ran_out_of_memory(opened):
    search = opened()
    number = search.ask().number
    result = {"report/epoch": 0, "failure": FULL, "done": True}
    trial = SimpleNamespace(config={"number": number})

    verdict = LedgerScheduler(search).on_trial_result(None, trial, result)

    assert verdict == TrialScheduler.STOP
    assert search.ledger.record(number).state == TrialState.running


def lost_at_its_start(search, searcher):
    """As Ray does it: what it suggested dies while it is pending; then Ray tells everybody."""
    config = searcher.suggest("one")
    trial = SimpleNamespace(config=config, get_error=lambda: "node died", status=Trial.PENDING)
    LedgerScheduler(search).on_trial_error(Controller(), trial)
    searcher.on_trial_complete("one", error=True)
    Recorder(search, []).on_trial_error(0, [], trial)
    return config


def test_a_trial_that_is_lost_at_its_start_is_begun_again(opened):
    search = opened()
    searcher = searcher_of(search)
    first = lost_at_its_start(search, searcher)

    second = searcher.suggest("two")

    assert (first["number"], first["attempt"]) == (0, 0)
    assert (second["number"], second["attempt"]) == (0, 1)
    assert search.ledger.record(0).state == TrialState.running


def test_a_trial_that_never_starts_is_lost_after_as_many_failures_as_any(opened):
    search = opened(max_failures=2)
    searcher = searcher_of(search)

    numbers = [lost_at_its_start(search, searcher)["number"] for _ in range(3)]

    assert numbers == [0, 0, 0]
    assert search.ledger.record(0).state == TrialState.failed
    assert searcher.suggest("next")["number"] == 1


@pytest.mark.parametrize("kind", [LineProgress, JsonProgress])
def test_progress_tells_it_once(kind):
    text = io.StringIO()
    progress = kind(Tally(make_study(trials=2), []), Console(file=text, width=200))
    progress.start()

    progress.update(make_record(0, state=TrialState.running))
    progress.update(tried_again())
    progress.update(tried_again())
    progress.update(tried_again(state=TrialState.complete))

    assert text.getvalue().count("tried again with 2 micro-batches") == 1 + (kind is JsonProgress)


def test_a_new_session_does_not_tell_it_again():
    text = io.StringIO()
    progress = LineProgress(Tally(make_study(), [tried_again()]), Console(file=text))

    progress.update(tried_again())

    assert not text.getvalue()


def test_status_and_report_tell_it_in_words():
    study = make_study(trials=1)
    results = Results(study, [tried_again(state=TrialState.complete)])
    status = Status(StudyDirectory(Path("runs/small")), results, None, 1.77e9)
    console = Console(width=80, record=True, file=io.StringIO())

    show_status(status, console)

    assert f"trial 0: {WORDS}" in console.export_text()
    assert as_json(status)["tried_again"] == {0: WORDS}
    assert WORDS in failures_section(results)
    assert "tried again" not in failures_section(make_results((0.9, 0.4)))


def test_mlflow_gets_the_words_and_the_changed_config(opened):
    record = after_two_epochs(opened())

    assert tags(record)["tuner.memory"] == WORDS
    assert params(record)["accumulation/micro_batches"] == "2"
    assert tags(make_record(0, 0.9, 0.4))["tuner.memory"] == ""


def test_the_exported_config_trains_in_the_same_parts(tmp_path):
    again = SecondTry(3, 2)
    record = make_record(0, 0.9, 0.4, config=again.changed(make_config()))

    path = write_config(Results(make_study(), [record]), record, tmp_path / "knee.yaml")
    trial = load_trial_config(path)

    assert [trial.micro_batches_in(epoch) for epoch in (2, 3)] == [1, 2]


def test_the_config_beside_the_checkpoint_is_the_one_that_is_trained(opened, tmp_path):
    search, directory = opened(), StudyDirectory(tmp_path / "runs")
    files = TrialFiles(directory)
    number = search.ask().number
    files.update(search.ledger.record(number))

    files.update(search.report(number, {"epoch": 0}, failure=FULL, done=True))

    written = yaml.safe_load((directory.trial(number) / "config.yaml").read_text())
    assert written["accumulation"] == {"micro_batches": 2, "from_epoch": 1}
