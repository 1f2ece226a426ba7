"""Two machines and a bucket: what one writes, the other one finds."""

import shutil

import pytest

from trainables.storage.object_store import UrlFolder
from trainables.storage.urls import completed
from tuner.storage.directory import StudyDirectory
from tuner.storage.working_copy import WorkingCopy, copies_in, is_light


@pytest.fixture
def url(s3):
    return f"{s3}/runs/x"


@pytest.fixture
def bucket(url, tmp_path):
    """The bucket as somebody else writes it: ``bucket(name, text)``."""

    def write(name, text):
        (tmp_path / "else").write_text(text)
        UrlFolder(completed(url)).send(tmp_path / "else", name)

    return write


def texts(copy):
    files = [path for path in copy.path.rglob("*") if path.is_file()]
    names = {path: path.relative_to(copy.path).as_posix() for path in files}
    return {name: path.read_text() for path, name in names.items() if not name.startswith(".")}


def test_a_folder_like_any_other_is_no_copy(tmp_path):
    assert WorkingCopy.of(tmp_path) is None
    assert StudyDirectory(tmp_path).copy is None
    assert StudyDirectory(tmp_path).trial_home(7) == str(tmp_path / "trials" / "0007")
    assert StudyDirectory(tmp_path).teachers_home == str(tmp_path.parent / "teachers")


def test_the_folder_of_a_copy_knows_its_url(url):
    copy = WorkingCopy.at(url)

    directory = StudyDirectory(copy.path)

    assert directory.copy == copy
    assert str(directory) == url
    assert directory.home == completed(url)
    assert directory.trial_home(7).startswith(f"{url}/trials/0007?endpoint_override=127.0.0.1:")
    assert directory.called("trials/0007") == f"{url}/trials/0007"
    assert directory.teachers_home.startswith(url.replace("/x", "/teachers?"))


def test_a_folder_that_only_says_that_it_is_a_copy_is_none(url, tmp_path):
    copy = WorkingCopy.at(url)
    shutil.copytree(copy.path, tmp_path / "handed over")

    assert WorkingCopy.of(tmp_path / "handed over") is None
    assert WorkingCopy.of(copy.path) == copy


@pytest.mark.parametrize("name", ["/etc/x", "a//b", "a/./b", "../x", "a/../../x"])
def test_what_is_called_like_no_file_of_a_study_stays_where_it_is(name):
    assert not is_light(name)


def test_what_one_machine_puts_there_another_one_finds(url, another_machine):
    first = WorkingCopy.at(url)
    (first.path / "front").mkdir()
    (first.path / "front" / "front.csv").write_text("trial 7")
    assert first.push() == 1
    another_machine()

    second = WorkingCopy.at(url)
    second.pull()

    assert second.path != first.path
    assert texts(second) == {"front/front.csv": "trial 7"}


def test_only_what_changed_is_transferred_again(url):
    copy = WorkingCopy.at(url)
    (copy.path / "study.yaml").write_text("trials: 8")
    (copy.path / "report.html").write_text("8 trials")
    assert copy.push() == 2

    (copy.path / "report.html").write_text("nine trials")

    assert copy.push() == 1
    assert copy.push() == 0


def test_what_is_newer_there_takes_the_place_of_what_is_here(url, bucket):
    copy = WorkingCopy.at(url)
    bucket("report.html", "old")
    copy.pull()

    bucket("report.html", "newer")
    copy.pull()

    assert texts(copy) == {"report.html": "newer"}
    assert copy.push() == 0


def test_what_is_not_there_yet_stays_here(url):
    copy = WorkingCopy.at(url)
    (copy.path / "report.html").write_text("mine")

    copy.pull()

    assert texts(copy) == {"report.html": "mine"}


def test_what_was_removed_there_is_removed_here(url, bucket):
    copy = WorkingCopy.at(url)
    bucket("report.html", "old")
    copy.pull()

    copy.remote.delete("report.html")
    copy.pull()

    assert texts(copy) == {}


def test_what_the_front_no_longer_has_is_removed_there_and_nothing_else(url):
    copy = WorkingCopy.at(url)
    for name in ("front/trial_0001.yaml", "session.json"):
        (copy.path / name).parent.mkdir(exist_ok=True)
        (copy.path / name).write_text(name)
    copy.push()

    for name in ("front/trial_0001.yaml", "session.json"):
        (copy.path / name).unlink()
    copy.push()

    assert set(copy.remote.files()) == {"session.json"}


def test_a_copy_that_was_removed_is_brought_again(url, bucket):
    copy = WorkingCopy.at(url)
    bucket("report.html", "old")
    copy.pull()

    (copy.path / "report.html").unlink()
    copy.pull()

    assert texts(copy) == {"report.html": "old"}


def test_checkpoints_stay_where_they_are_until_somebody_asks(url, bucket):
    directory = StudyDirectory(WorkingCopy.at(url).path)
    bucket("trials/0007/checkpoint.pt", "epoch 1")
    bucket("trials/0007/machine.json", "{}")
    directory.copy.pull()
    assert texts(directory.copy) == {"trials/0007/machine.json": "{}"}

    first = directory.trial_file(7, "checkpoint.pt").read_text()
    bucket("trials/0007/checkpoint.pt", "epoch 12")
    second = directory.trial_file(7, "checkpoint.pt").read_text()

    assert (first, second) == ("epoch 1", "epoch 12")


def test_a_checkpoint_that_nobody_wrote_is_missing(url):
    directory = StudyDirectory(WorkingCopy.at(url).path)

    assert not directory.trial_file(7, "checkpoint.pt").is_file()


def test_what_only_this_machine_needs_is_not_put_there(url):
    copy = WorkingCopy.at(url)
    for name in (".lock", "ray/tuner.pkl", "trials/0007/checkpoint.pt", "front/.front.csv.7.part"):
        (copy.path / name).parent.mkdir(exist_ok=True, parents=True)
        (copy.path / name).write_text(name)

    assert copy.push() == 0
    assert copy.remote.files() == {}


def test_a_listing_brings_the_files_of_the_studies_alone(url, bucket, another_machine):
    bucket("study.yaml", "name: x")
    bucket("report.html", "large")
    another_machine()

    (copy,) = copies_in(url.removesuffix("x"))

    assert str(copy) == url
    assert texts(copy) == {"study.yaml": "name: x"}


def test_a_url_with_options_is_shown_as_a_shell_takes_it(url):
    copy = WorkingCopy.at(f"{url}?region=here")

    assert str(copy) == f"'{url}?region=here'"
    assert str(WorkingCopy.at(f"{url}/?region=here")) == str(copy)
    assert len(copies_in(f"{url.removesuffix('x')}?region=here")) == 0
