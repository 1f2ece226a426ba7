"""What a trial keeps from one process to the next, in a folder and at a URL."""

import pytest

from trainables.storage.attempt import SupersededError
from trainables.storage.trial_store import StateNotStoredError, TrialStore


@pytest.fixture(params=["folder", "URL"])
def place(request, tmp_path):
    """A trial's place."""
    folder = tmp_path / "trial"
    return str(folder) if request.param == "folder" else folder.as_uri()


def test_nothing_is_there_at_the_beginning(place):
    assert TrialStore(place).take_up() is None


def test_the_next_process_goes_on_from_what_was_saved(place):
    first = TrialStore(place)
    first.take_up()
    first.save({"epoch": 2})

    state = TrialStore(place).take_up()

    assert state == {"epoch": 2}


@pytest.mark.parametrize("save", ["save", "try_to_save"])
def test_who_was_overtaken_writes_no_more(place, save):
    overtaken, newest = TrialStore(place), TrialStore(place)
    overtaken.take_up()
    newest.take_up()
    newest.save({"epoch": 3})

    with pytest.raises(SupersededError, match="this one was given up, and writes no more"):
        getattr(overtaken, save)({"epoch": 1})

    assert TrialStore(place).take_up() == {"epoch": 3}


def test_who_was_overtaken_trains_no_more(place):
    overtaken = TrialStore(place)
    overtaken.take_up()
    TrialStore(place).take_up()

    with pytest.raises(SupersededError):
        overtaken.require()


def test_notes_and_state_are_all_that_is_left(tmp_path):
    store = TrialStore((tmp_path / "trial").as_uri())
    store.take_up()
    store.note("machine.json", "{}")
    store.save({"epoch": 1})

    store.leave()

    assert sorted(path.name for path in (tmp_path / "trial").iterdir()) == [
        "checkpoint.pt",
        "machine.json",
        "turn",
    ]


def test_a_state_that_cannot_be_written_says_where_and_why(tmp_path):
    store = TrialStore(str(tmp_path / "trial"))
    store.take_up()
    (tmp_path / "trial" / "checkpoint.pt").mkdir()

    with pytest.raises(StateNotStoredError, match=r"checkpoint\.pt on .*: Is a directory"):
        store.save({"epoch": 1})
