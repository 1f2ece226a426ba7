"""A run that goes on in one process while another one, given up, trains on."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from trainables.models.checkpoints import read_checkpoint
from trainables.storage.attempt import Attempt, SupersededError


@pytest.fixture
def checkpoint(tmp_path):
    return tmp_path / "trial" / "checkpoint.pt"


class Meanwhile(Mapping):
    """A state that calls ``event`` in the middle of being written."""

    def __init__(self, event):
        self.event = event

    def __iter__(self):
        self.event()
        return iter(["epoch"])

    def __getitem__(self, key):
        return 7

    def __len__(self):
        return 1


def save_until_superseded(attempt):
    """Epochs 1, 2, … as fast as they can be written."""
    with suppress(SupersededError):
        for epoch in range(1, 100):
            attempt.save({"epoch": epoch})


def test_an_attempt_writes_the_checkpoint(checkpoint):
    attempt = Attempt.begin(checkpoint)

    attempt.save({"epoch": 1})
    attempt.save({"epoch": 2})

    assert read_checkpoint(checkpoint) == {"epoch": 2}


def test_an_older_attempt_writes_no_more(checkpoint):
    older = Attempt.begin(checkpoint)
    newer = Attempt.begin(checkpoint)
    newer.save({"epoch": 5})

    with pytest.raises(SupersededError):
        older.save({"epoch": 2})
    with pytest.raises(SupersededError):
        older.require()

    newer.require()
    assert read_checkpoint(checkpoint) == {"epoch": 5}


def test_who_is_superseded_while_it_writes_does_not_put_it_into_place(checkpoint):
    older = Attempt.begin(checkpoint)
    older.save({"epoch": 1})

    with pytest.raises(SupersededError):
        older.save(Meanwhile(lambda: Attempt.begin(checkpoint)))

    assert read_checkpoint(checkpoint) == {"epoch": 1}


def test_what_is_there_when_an_attempt_has_begun_stays_until_it_writes_itself(checkpoint):
    changed = []

    for _ in range(25):
        older = Attempt.begin(checkpoint)
        older.save({"epoch": 0})
        with ThreadPoolExecutor(1) as thread:
            writing = thread.submit(save_until_superseded, older)
            Attempt.begin(checkpoint)
            found = read_checkpoint(checkpoint)
            writing.result()
        changed.append(read_checkpoint(checkpoint) != found)

    assert changed == [False] * 25


def test_half_a_file_of_a_killed_attempt_is_removed_by_the_next(checkpoint):
    Attempt.begin(checkpoint)
    (folder,) = checkpoint.parent.iterdir()
    (folder / "checkpoint.pt").write_bytes(b"half a f")
    gone = folder.with_name(folder.name.replace("attempt", "gone"))
    gone.mkdir()  # of one that was killed while it removed another

    Attempt.begin(checkpoint).end()

    assert list(checkpoint.parent.iterdir()) == []


def test_an_ended_attempt_leaves_the_checkpoint_alone(checkpoint):
    attempt = Attempt.begin(checkpoint)
    attempt.save({"epoch": 1})

    attempt.end()

    assert [path.name for path in checkpoint.parent.iterdir()] == ["checkpoint.pt"]
    with pytest.raises(SupersededError):
        attempt.save({"epoch": 2})


def test_an_error_of_the_disk_is_that_error(checkpoint):
    attempt = Attempt.begin(checkpoint)
    checkpoint.mkdir()  # a file cannot take the place of a folder

    with pytest.raises(IsADirectoryError):
        attempt.save({"epoch": 1})
