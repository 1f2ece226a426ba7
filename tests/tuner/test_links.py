"""Links inside a study's directory that point elsewhere."""

import shutil

from tuner.storage.atomic import write_atomically
from tuner.storage.directory import StudyDirectory


def test_what_is_written_replaces_a_link_and_leaves_what_it_points_to(tmp_path):
    (tmp_path / "theirs").write_text("theirs")
    link = tmp_path / "report.html"
    link.symlink_to(tmp_path / "theirs")

    write_atomically(link, "ours")

    assert (tmp_path / "theirs").read_text() == "theirs"
    assert link.read_text() == "ours"
    assert not link.is_symlink()


def test_cleaning_up_rays_folder_follows_no_link(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    inside, itself = (StudyDirectory(tmp_path / name).ray for name in ("a", "b"))
    inside.mkdir(parents=True)
    (inside / "link").symlink_to(outside)
    itself.parent.mkdir()
    itself.symlink_to(outside)

    for folder in (inside, itself):
        shutil.rmtree(folder, ignore_errors=True)  # as the runner does

    assert (outside / "kept").read_text() == "kept"
    assert not inside.exists()
