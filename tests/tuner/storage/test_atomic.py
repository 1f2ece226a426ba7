"""Files that are there whole or not at all."""

import pytest

from tuner.storage.atomic import write_atomically


def test_what_cannot_be_written_is_called_by_its_own_name(tmp_path):
    (tmp_path / "report.html").mkdir()

    with pytest.raises(OSError, match="report") as raised:
        write_atomically(tmp_path / "report.html", "page")

    assert raised.value.filename == str(tmp_path / "report.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html"]
