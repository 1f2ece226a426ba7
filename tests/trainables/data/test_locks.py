import multiprocessing
import time

import pytest

from trainables.data.locks import locked


def count_up(folder):
    """Read, wait and write: a lost update wherever two are inside."""
    with locked(folder, "counter"):
        path = folder / "count"
        count = int(path.read_text()) if path.is_file() else 0
        time.sleep(0.01)
        path.write_text(str(count + 1))


def test_one_process_at_a_time_is_inside(tmp_path):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.map(count_up, [tmp_path / "new"] * 8, chunksize=1)

    assert (tmp_path / "new" / "count").read_text() == "8"


def test_an_error_inside_opens_the_lock_again(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path, "counter"):
        raise KeyError

    count_up(tmp_path)

    assert (tmp_path / "count").read_text() == "1"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    tmp_path.joinpath("file").touch()

    with (
        pytest.raises(ValueError, match=r"data\.root must be a folder in which x can be written"),
        locked(tmp_path / "file", "x"),
    ):
        pass
