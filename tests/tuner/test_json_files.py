import json

import pytest

from tuner.jobs.notes import Job, job_of, note_of
from tuner.json_files import read_json
from tuner.storage.directory import StudyDirectory


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"{", b"\xff", b"[" * 100_000])
def test_a_damaged_file_is_one_sentence(content, tmp_path):
    (tmp_path / "file.json").write_bytes(content)

    with pytest.raises(ValueError, match=r"file\.json is damaged: it must hold a JSON object"):
        read_json(tmp_path / "file.json")


@pytest.mark.parametrize("said", [{}, {"address": "http://x"}, {"address": 3, "id": "x"}])
def test_a_note_that_names_no_job_is_one_sentence(said, tmp_path):
    place = StudyDirectory(tmp_path / "study")
    note_of(place).parent.mkdir()
    note_of(place).write_text(json.dumps(said))

    with pytest.raises(ValueError, match="names no job"):
        job_of(place)


def test_a_note_of_a_job_is_read(tmp_path):
    place = StudyDirectory(tmp_path / "study")
    note_of(place).parent.mkdir()
    note_of(place).write_text(json.dumps({"address": "http://x", "id": "y"}))

    assert job_of(place) == Job("http://x", "y")
