"""Who ran a study, from which commit: noted per session, and never guessed."""

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tuner.exporting.made_with import commit
from tuner.tracking.origins import FILE, Origins, note

COMMIT = "mlflow.source.git.commit"


def git(folder, *arguments):
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    answer = subprocess.run(
        ["git", "-C", folder, *who, *arguments], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git checkout with one commit, from which the study is run."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--initial-branch=main")
    (folder / "code.py").write_text("x = 1\n")
    git(folder, "add", "code.py")
    git(folder, "commit", "-m", "begin")
    monkeypatch.chdir(folder)
    return folder


def test_the_commit_and_the_branch_are_those_of_the_working_directory(checkout, tmp_path):
    note(tmp_path)

    tags = Origins.read(tmp_path).at(None)
    assert tags[COMMIT] == git(checkout, "rev-parse", "HEAD")
    assert tags["mlflow.source.git.branch"] == "main"
    assert tags["mlflow.source.git.dirty"] == "false"
    assert "torch" in json.loads(tags["tuner.versions"])


def test_changed_files_are_told(checkout, tmp_path):
    (checkout / "code.py").write_text("x = 2\n")

    note(tmp_path)

    assert Origins.read(tmp_path).at(None)["mlflow.source.git.dirty"] == "true"


def test_outside_a_checkout_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    note(tmp_path)

    tags = Origins.read(tmp_path).at(None)
    assert COMMIT not in tags
    assert tags["tuner.commit"] == commit()  # of the tuner itself


def test_a_trial_has_the_commit_of_the_session_that_began_it(checkout, tmp_path):
    note(tmp_path)
    first = git(checkout, "rev-parse", "HEAD")
    between = datetime.now(UTC)
    git(checkout, "commit", "--allow-empty", "-m", "go on")
    note(tmp_path)

    origins = Origins.read(tmp_path)

    assert origins.at(between)[COMMIT] == first
    assert origins.at(datetime.now(UTC))[COMMIT] == git(checkout, "rev-parse", "HEAD")
    assert origins.at(between - timedelta(days=1))[COMMIT] == first


@pytest.mark.usefixtures("checkout")
def test_a_session_like_the_last_is_not_noted_again(tmp_path):
    note(tmp_path)

    note(tmp_path)

    assert len(Origins.read(tmp_path).sessions) == 1


@pytest.mark.usefixtures("checkout")
def test_where_nothing_is_noted_no_commit_is_guessed(tmp_path):
    tags = Origins.read(tmp_path).at(datetime.now(UTC))

    assert tags["mlflow.user"]
    assert not [key for key in tags if ".git." in key]


@pytest.mark.parametrize("content", ["", "{", "[]", '[{"since": 3}]', '{"a": 1}'])
def test_a_damaged_note_is_no_note(tmp_path, content):
    (tmp_path / FILE).write_text(content)

    assert Origins.read(tmp_path).sessions == ()
