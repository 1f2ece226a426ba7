"""A study whose disk runs full: a real file system, too small."""

import pytest

from benchmarks.load.full import may_mount, measure, misses

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(not may_mount(), reason="only root may mount the small file system"),
]


def test_a_full_disk_stops_the_study_with_a_sentence_and_room_lets_it_go_on(tmp_path):
    try:
        row = measure(tmp_path / "full", trials=2, stored=1)
    except PermissionError as error:
        pytest.skip(str(error))

    assert misses(row) == [], row
