"""Where a study's record is kept: looking begins nothing, and what is wrong is one sentence."""

import pytest
from written_study import STUDY, write_study

from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import read_records
from tuner.storage.opening import JOURNAL
from tuner.study import StudyConfig


def study_in(storage=None):
    return StudyConfig.model_validate({**STUDY, "storage": storage})


def test_to_look_at_a_study_that_was_not_begun_writes_nothing(tmp_path):
    place = StudyDirectory(tmp_path / "small")
    place.claim(study_in())
    before = sorted(place.path.iterdir())

    records = read_records(study_in(), place.path)

    assert (records, sorted(place.path.iterdir())) == ([], before)


def test_a_damaged_journal_is_named(tmp_path):
    folder = write_study(tmp_path)
    lines = (folder / JOURNAL).read_bytes().split(b"\n")
    (folder / JOURNAL).write_bytes(b"\n".join([lines[0][:20], *lines[1:]]))

    with pytest.raises(ValueError, match=r"optuna\.journal is damaged before its last line"):
        read_records(study_in(), folder)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:////nowhere/x.db", "unable to open database file"),
        ("postgresql://host:${PLANTED}/x", r"does not open \(its port is no number\); start it"),
        ("foo://me:${PLANTED}@host/x", r"storage foo://me:\$\{PLANTED\}@host/x does not open"),
        ("mssql+nothing://me:${PLANTED}@host/x", r"me:\$\{PLANTED\}@host"),
    ],
)
def test_a_storage_that_does_not_open_says_why_without_its_password(
    tmp_path, monkeypatch, url, words
):
    monkeypatch.setenv("PLANTED", "secret-word")

    with pytest.raises(ConnectionError, match=words) as raised:
        read_records(study_in(url), tmp_path)

    assert "secret" not in str(raised.value)
