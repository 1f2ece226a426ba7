"""The same promises on a file system and on an S3 server."""

import socket
import time

import pytest

from trainables.storage.object_store import (
    StoreError,
    StoreRefusedError,
    UrlFolder,
    copy_of,
    patiently,
)
from trainables.storage.urls import completed


@pytest.fixture(params=["file", "s3"])
def folder(request, tmp_path):
    if request.param == "file":
        return UrlFolder(completed(f"file://{tmp_path}/store/runs/x"))
    return UrlFolder(completed(request.getfixturevalue("s3") + "/runs/x"))


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(b"weights")
    return path


def test_a_folder_that_is_not_there_is_empty(folder):
    assert folder.files() == {}
    assert folder.folders() == []


def test_what_is_sent_is_fetched_somewhere_else(folder, source, tmp_path):
    folder.send(source, "trials/0001/checkpoint.pt")

    assert folder.fetch("trials/0001/checkpoint.pt", tmp_path / "new" / "here.pt")
    assert (tmp_path / "new" / "here.pt").read_bytes() == b"weights"
    assert folder.below("trials").fetch("0001/checkpoint.pt", tmp_path / "again.pt")


def test_a_listing_names_files_by_their_path_with_their_stamps(folder, source):
    folder.send(source, "study.yaml")
    folder.send(source, "trials/0001/checkpoint.pt")

    assert set(folder.files()) == {"study.yaml", "trials/0001/checkpoint.pt"}
    assert set(folder.files(deep=False)) == {"study.yaml"}
    assert folder.files()["study.yaml"] == folder.stamp("study.yaml")
    assert folder.stamp("study.yaml").size == 7
    assert folder.folders() == ["trials"]


def test_a_file_is_replaced_as_a_whole(folder, source, tmp_path):
    folder.send(source, "checkpoint.pt")
    source.write_bytes(b"other weights")

    folder.send(source, "checkpoint.pt")

    assert folder.fetch("checkpoint.pt", tmp_path / "here")
    assert (tmp_path / "here").read_bytes() == b"other weights"
    assert set(folder.files()) == {"checkpoint.pt"}


def test_a_file_that_is_missing_is_not_fetched_and_nothing_is_left(folder, tmp_path):
    place = tmp_path / "empty"

    assert not folder.fetch("checkpoint.pt", place / "here")
    assert folder.stamp("checkpoint.pt") is None
    assert list(place.iterdir()) == []


def test_removing_is_for_what_is_there_and_for_what_is_not(folder, source):
    folder.send(source, "checkpoint.pt")

    folder.delete("checkpoint.pt")
    folder.delete("checkpoint.pt")

    assert folder.files() == {}


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_missing_is_refused_at_once():
    folder = UrlFolder(completed("s3://nobody-has-made-it/runs/x"))

    with pytest.raises(StoreRefusedError, match="the bucket does not exist; make it, or correct"):
        folder.files()


@pytest.mark.usefixtures("s3")
def test_a_server_that_is_away_is_one_sentence(source):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        url = f"s3://studies/x?endpoint_override=127.0.0.1:{port}&scheme=http"
        folder = UrlFolder(completed(url))

        with pytest.raises(StoreError, match="the store does not answer") as caught:
            folder.send(source, "a")

    assert str(caught.value).startswith("s3://studies/x: ")
    assert "\n" not in str(caught.value)


def test_patience_outlasts_a_hiccup():
    answers = iter([StoreError("away"), "here"])

    def ask():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patiently(ask, 10) == "here"


def test_patience_ends():
    def ask():
        raise StoreError("away")

    with pytest.raises(StoreError, match="away"):
        patiently(ask, 0.6)


def test_a_refusal_is_not_asked_again():
    asked = []

    def ask():
        asked.append(time.monotonic())
        raise StoreRefusedError("no")

    with pytest.raises(StoreRefusedError):
        patiently(ask, 60)

    assert len(asked) == 1


def test_neighbours_there_are_neighbours_here(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path))

    study, teachers = copy_of("s3://bucket/runs/x"), copy_of("s3://bucket/runs/teachers")

    assert study.parent == teachers.parent
    assert copy_of("s3://other/runs/x").parent != study.parent
    assert study.parent.parent == tmp_path
