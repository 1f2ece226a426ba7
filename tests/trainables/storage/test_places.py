"""Trials and teachers whose places are at URLs, driven by hand as Ray drives them."""

import logging

import pytest
from moto.server import ThreadedMotoServer

from trainables.config import merge
from trainables.models.checkpoints import read_checkpoint
from trainables.storage import places
from trainables.storage.object_store import StoreError, UrlFolder, copy_of
from trainables.storage.places import TrialPlace, fetch_teachers, prepare_teacher_at
from trainables.storage.urls import below, completed
from trainables.trainable import DistillationTrainable


@pytest.fixture
def runs(s3):
    return completed(f"{s3}/runs")


@pytest.fixture
def config(trial, runs):
    """What the searcher gives to a trial of three epochs that needs no teacher."""
    alone = trial(method={"name": "kd", "soft_weight": 0.0}, epochs=3)
    return {
        "number": 0,
        "trial": alone.model_dump(mode="json"),
        "directory": below(runs, "x/trials/0000"),
        "teachers": below(runs, "teachers"),
    }


def checkpoint(config, tmp_path):
    """What lies at the trial's URL, None if nothing does."""
    there = UrlFolder(config["directory"]).fetch("checkpoint.pt", tmp_path / "seen.pt")
    return read_checkpoint(tmp_path / "seen.pt") if there else None


def test_a_folder_is_used_as_it_is(tmp_path):
    place = TrialPlace(str(tmp_path))
    (tmp_path / "a").touch()

    assert place.folder == tmp_path
    assert place.fetch("a")
    assert not place.fetch("b")
    assert not place.is_remote


def test_an_epoch_is_kept_once_ray_asks_for_the_next_one(config, tmp_path):
    trainable = DistillationTrainable(config)
    trainable.step()
    before = checkpoint(config, tmp_path)

    trainable.step()

    assert before is None
    assert checkpoint(config, tmp_path)["epoch"] == 1


def test_the_last_weights_are_there_before_the_last_epoch_is_reported(config, tmp_path):
    trainable = DistillationTrainable(config)

    last = [trainable.step() for _ in range(3)][-1]

    assert last["done"]
    assert checkpoint(config, tmp_path)["epoch"] == 3
    assert {"checkpoint.pt", "machine.json", "turn"} == set(UrlFolder(config["directory"]).files())


@pytest.mark.slow
def test_a_trial_goes_on_elsewhere_to_the_same_numbers(config, another_machine):
    whole = DistillationTrainable({**config, "directory": below(config["directory"], "whole")})
    expected = [whole.step()["report"] for _ in range(3)]
    first = DistillationTrainable(config)
    first.step()
    first.step()
    another_machine()

    second = DistillationTrainable(config)
    reports = [second.step()["report"] for _ in range(2)]

    wanted = [{k: v for k, v in r.items() if k != "cost/seconds"} for r in expected[1:]]
    found = [{k: v for k, v in r.items() if k != "cost/seconds"} for r in reports]
    assert found == wanted


def test_why_a_trial_failed_lies_at_the_url(config, tmp_path):
    broken = merge(config, {"trial": {"data": {"name": "image_folder", "path": "/nowhere"}}})

    failure = DistillationTrainable(broken).step()["failure"]

    place = UrlFolder(config["directory"])
    assert place.fetch("error.log", tmp_path / "error.log")
    assert failure.startswith("raised: ValidationError")
    assert "Traceback" in (tmp_path / "error.log").read_text()


@pytest.fixture
def frail(monkeypatch, config):
    """The trial's config at a server of its own, and the server."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]  # what moto holds is the same for all servers
    url = f"s3://studies/frail-{port}?endpoint_override=127.0.0.1:{port}&scheme=http"
    monkeypatch.setattr(places, "SHORT_PATIENCE", 0.0)
    monkeypatch.setattr(places, "PATIENCE", 0.0)
    yield {**config, "directory": completed(url)}, server
    server.stop()


@pytest.mark.slow
def test_training_goes_on_while_the_store_is_away(frail):
    config, server = frail
    trainable = DistillationTrainable(config)
    trainable.step()
    server.stop()

    second = trainable.step()

    assert second["report"]["epoch"] == 2
    assert not second["failure"]


@pytest.mark.slow
def test_the_last_epoch_is_not_reported_without_its_weights(frail):
    config, server = frail
    trainable = DistillationTrainable(config)
    trainable.step()
    trainable.step()
    server.stop()

    with pytest.raises(StoreError, match="does not answer"):
        trainable.step()


@pytest.mark.slow
def test_a_trial_that_cannot_look_for_its_checkpoint_is_tried_again_by_ray(frail):
    config, server = frail
    server.stop()

    with pytest.raises(StoreError, match="does not answer"):
        DistillationTrainable(config).step()


def test_a_teacher_is_prepared_once_and_fetched_by_other_machines(trial, runs, another_machine):
    taught = trial(
        teacher={"architecture": "small_resnet6", "training": {"epochs": 1}},
        clean_teacher=None,
        method={"name": "kd"},
    )
    url = below(runs, "teachers")
    first = prepare_teacher_at(taught, url)
    stamps = UrlFolder(url).files()
    another_machine()

    folder = fetch_teachers(taught, url)
    second = prepare_teacher_at(taught, url)

    assert folder == copy_of(url)
    assert second.path == folder / first.path.name
    assert first.trained_now
    assert not second.trained_now
    assert second.path.read_bytes() == first.path.read_bytes()
    assert UrlFolder(url).files() == stamps


def test_a_trial_that_needs_no_teacher_fetches_none(config, trial):
    alone = trial(method={"name": "kd", "soft_weight": 0.0})

    assert not fetch_teachers(alone, config["teachers"]).exists()
