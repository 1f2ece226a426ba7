"""Students in MLflow: checkpoints of complete trials, models of the front, the registry."""

import logging
import shutil

import mlflow
import numpy as np
import pytest
import torch
from make_records import make_study
from make_trained import EPOCHS, STUDY, make_results, write_trials
from make_verification import EPSILON, make_member, make_verification
from typer.testing import CliRunner

from trainables.models.checkpoints import load_weights
from trainables.networks import build_student
from tuner.analysis.results import Results
from tuner.cli import app
from tuner.storage.atomic import write_atomically
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig
from tuner.tracking.client import MlflowClient
from tuner.tracking.models import FRONT, models
from tuner.tracking.registry import ALIASES, Registered, register, usual_picks
from tuner.tracking.study import MlflowStudy
from tuner.tracking.tracker import Tracker, default_uri, sync
from tuner.verbs.register import example

pytestmark = pytest.mark.slow  # a store each, and a few exports

FIRST = make_results((0.9, 0.3), (0.8, 0.4), (0.7, 0.2))  # 0 and 1 are the front
LATER = make_results((0.9, 0.3), (0.8, 0.4), (0.95, 0.5))  # 2 is the front
IMAGES = np.random.default_rng(1).random((5, 1, 8, 8), dtype=np.float32)


def bring(results, directory):
    sync(STUDY, directory, default_uri(directory), results.records, results=results)


def logged(directory):
    """The study's whole models by trial."""
    client = MlflowClient(default_uri(directory))
    study = MlflowStudy(client, STUDY, directory)
    return client, {int(model.tags["tuner.trial"]): model for model in models(study)}


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A study whose first results are in MLflow, and its student."""
    directory = tmp_path_factory.mktemp("runs") / "trained"
    student = write_trials(directory, [0, 1, 2])
    bring(FIRST, directory)
    return directory, student


def test_the_front_and_nothing_else_is_logged_with_the_trials_own_metrics(before):
    _, found = logged(before[0])

    assert set(found) == {0, 1}
    metrics = {metric.key: metric.value for metric in found[1].metrics}
    assert metrics["final/clean_accuracy"] == 0.8
    assert {metric.dataset_name for metric in found[1].metrics} == {"digits (validation)"}
    assert found[1].params["student"] == "small_resnet6"
    assert found[1].params["epochs"] == str(EPOCHS)


def test_a_loaded_model_takes_images_of_any_number_and_says_what_the_student_says(before):
    directory, student = before
    model = logged(directory)[1][0]

    loaded = mlflow.pyfunc.load_model(model.artifact_location)

    with torch.no_grad():
        expected = student(torch.from_numpy(IMAGES)).numpy()
    np.testing.assert_allclose(loaded.predict(IMAGES), expected, atol=1e-5)
    np.testing.assert_allclose(loaded.predict(IMAGES[:1]), expected[:1], atol=1e-5)
    assert loaded.metadata.signature.inputs.inputs[0].shape == (-1, 1, 8, 8)


def test_a_loaded_model_can_be_attacked(before):
    model = logged(before[0])[1][0]
    images = torch.from_numpy(IMAGES).requires_grad_()

    network = mlflow.pytorch.load_model(model.artifact_location)
    network(images).logsumexp(dim=1).sum().backward()

    assert images.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_what_a_model_needs_is_pinned_to_versions_that_a_registry_has(before):
    model = logged(before[0])[1][0]

    needed = mlflow.pyfunc.get_model_dependencies(model.artifact_location)

    with open(needed) as file:  # noqa: PTH123 - MLflow gives text
        lines = file.read().split()
    assert sorted(line.partition("==")[0] for line in lines) == ["mlflow", "numpy", "torch"]
    assert not [line for line in lines if "+" in line]


def test_checkpoints_hold_the_measured_weights_and_their_config(before, tmp_path):
    directory, student = before
    client, _ = logged(directory)
    run = MlflowStudy(client, STUDY, directory).trial(2).run_id

    place = client.download_artifacts(run, "checkpoint", str(tmp_path))

    files = {path.name for path in (tmp_path / "checkpoint").iterdir()}
    assert files == {"student.safetensors", "config.yaml"}
    network = build_student(STUDY.base)
    load_weights(network, tmp_path / "checkpoint" / "student.safetensors", "small_resnet6")
    for name, values in student.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], values)
    assert place


def test_bringing_it_again_doubles_nothing(before):
    directory, _ = before
    client, found = logged(directory)
    study = MlflowStudy(client, STUDY, directory)
    runs = {run.info.run_id: run.data.tags for run in study.children()}

    bring(FIRST, directory)

    _, again = logged(directory)
    assert {n: model.model_id for n, model in again.items()} == {
        n: model.model_id for n, model in found.items()
    }
    assert {run.info.run_id: run.data.tags for run in study.children()} == runs


@pytest.fixture
def moved(tmp_path):
    """A study whose front changed after its first models were logged."""
    directory = tmp_path / "runs" / "trained"
    write_trials(directory, [0, 1, 2])
    bring(FIRST, directory)
    return directory


def test_who_leaves_the_front_keeps_the_model_and_loses_the_tag(moved):
    bring(LATER, moved)

    _, found = logged(moved)
    assert {number: FRONT in model.tags for number, model in found.items()} == {
        0: False,
        1: False,
        2: True,
    }

    bring(FIRST, moved)

    _, found = logged(moved)
    assert [FRONT in found[number].tags for number in (0, 1, 2)] == [True, True, False]


def test_a_model_half_made_by_a_killed_driver_is_made_again(tmp_path):
    directory = tmp_path / "runs" / "trained"
    write_trials(directory, [0, 1, 2])
    sync(STUDY, directory, default_uri(directory), FIRST.records)
    client = MlflowClient(default_uri(directory))
    study = MlflowStudy(client, STUDY, directory)
    half = client.create_logged_model(
        study.experiment_id, "half", source_run_id=study.trial(0).run_id
    )

    bring(FIRST, directory)

    listed = client.search_logged_models([study.experiment_id])
    assert half.model_id not in [model.model_id for model in listed]
    assert [model.status for model in listed] == ["READY", "READY"]


def test_a_trial_without_its_checkpoint_is_left_out_with_a_line_in_the_log(tmp_path, caplog):
    directory = tmp_path / "runs" / "trained"
    write_trials(directory, [0, 1, 2])
    (StudyDirectory(directory).trial(0) / "checkpoint.pt").unlink()
    (StudyDirectory(directory).trial(1) / "checkpoint.pt").write_bytes(b"half")
    caplog.set_level(logging.WARNING)

    bring(FIRST, directory)

    assert logged(directory)[1] == {}
    assert "trial 0 is not logged as a model" in caplog.text
    assert "the checkpoint of trial 1 is not in MLflow" in caplog.text


def test_a_server_that_takes_no_files_costs_neither_records_nor_the_end(tmp_path, caplog):
    directory = tmp_path / "runs" / "trained"
    write_trials(directory, [0, 1, 2])
    client = MlflowClient(default_uri(directory))
    (tmp_path / "a file").write_text("where a folder should be")
    client.create_experiment(STUDY.name, (tmp_path / "a file").as_uri())
    tracker = Tracker(STUDY, directory, default_uri(directory))

    tracker.start()
    for record in FIRST.records:
        tracker.update(record)
    tracker.log_models(FIRST)
    through = tracker.close(status="FINISHED", timeout=30)

    study = MlflowStudy(client, STUDY, directory)
    assert not through
    assert client.get_run(study.run_id).info.status == "FINISHED"
    assert [run.info.status for run in study.children()] == ["FINISHED"] * 3
    assert caplog.text.count("does not take files") == 1


def versions(directory):
    client = MlflowClient(default_uri(directory))
    return {v.version: v for v in client.search_model_versions("name = 'students'")}, client


def alias(client, name):
    return client.get_model_version_by_alias("students", name).tags["tuner.trial"]


def test_picks_are_registered_once_and_their_aliases_move(moved):
    place = StudyDirectory(moved)
    register(FIRST, place, "students", usual_picks(FIRST))
    first, client = versions(moved)
    aliases = {name: alias(client, name) for name in ALIASES.values()}

    again = register(FIRST, place, "students", usual_picks(FIRST))
    bring(LATER, moved)
    register(LATER, place, "students", usual_picks(LATER))

    later, _ = versions(moved)
    assert {version.tags["tuner.trial"] for version in first.values()} == {"0", "1"}
    assert aliases["best-clean"] == "0"
    assert aliases["best-robust"] == "1"
    assert not any(entry.is_new for entry in again)
    assert len(later) == len(first) + 1
    assert {alias(client, name) for name in ALIASES.values()} == {"2"}


def test_a_version_says_where_it_comes_from_and_what_it_reaches(moved):
    register(FIRST, StudyDirectory(moved), "students", ["max-robust"])

    (version,) = versions(moved)[0].values()

    assert version.tags["val/robust_accuracy"] == "0.4"
    assert version.tags["tuner.attack"].startswith("margin PGD-20")
    assert version.description.startswith(
        "Trial 1 of study trained: wide > small_resnet6. On the validation split 80.0 % clean "
        "accuracy, 40.0 % robust accuracy, under margin PGD-20"
    )
    loaded = mlflow.pyfunc.load_model(version.source)
    assert loaded.predict(IMAGES).shape == (5, 10)


def test_a_trial_beside_the_front_becomes_a_model_when_it_is_registered(moved):
    (entry,) = register(FIRST, StudyDirectory(moved), "students", ["trial:2"])

    client, found = logged(moved)
    assert (entry.trial, entry.is_new) == (2, True)
    assert FRONT not in found[2].tags
    assert client.get_model_version("students", entry.version).tags["tuner.trial"] == "2"


def test_a_trial_without_checkpoint_cannot_be_registered(moved):
    shutil.rmtree(StudyDirectory(moved).trial(2))

    with pytest.raises(ValueError, match=r"trial 2 has no logged model .* tuner sync"):
        register(FIRST, StudyDirectory(moved), "students", ["trial:2"])


def test_aliases_go_by_verified_numbers_where_there_are_any_and_say_so(moved):
    study = make_study(name="trained", base={"threat": {"epsilon": EPSILON}})
    members = [make_member(FIRST, 0, (270, 150)), make_member(FIRST, 1, (240, 60))]
    write_atomically(
        moved / "verification" / "verification.json",
        make_verification(Results(study, FIRST.records), *members).model_dump_json(),
    )

    verified = register(FIRST, StudyDirectory(moved), "students", ["max-robust"])
    by_validation = register(
        FIRST, StudyDirectory(moved), "students", ["max-robust"], on="validation"
    )

    assert [entry.trial for entry in (*verified, *by_validation)] == [0, 1]
    assert verified[0].picked_on.startswith("on verified numbers: 90.0 % clean, 50.0 % under Auto")
    assert by_validation[0].picked_on.startswith("on validation numbers: 80.0 % clean accuracy")


def test_a_name_that_mlflow_does_not_take_is_one_sentence(moved):
    with pytest.raises(ValueError, match="refuses model 'a/b'"):
        register(FIRST, StudyDirectory(moved), "a/b", ["knee"])
    with pytest.raises(ValueError, match="must be without quotation marks, got it's"):
        register(FIRST, StudyDirectory(moved), "it's", ["knee"])


def test_the_example_loads_the_first_pick_by_its_alias():
    knee = Registered(37, "1", ("knee",), is_new=True, picked_on="")
    cleanest = Registered(4, "2", ("best-clean",), is_new=True, picked_on="")
    plain = Registered(7, "3", (), is_new=True, picked_on="")

    assert example("digits", [knee, cleanest]).endswith('load_model("models:/digits@knee")')
    assert example("digits", [plain, knee]).endswith('load_model("models:/digits/3")')


def test_a_study_that_was_never_in_mlflow_says_how_to_bring_it_there(tmp_path):
    directory = tmp_path / "runs" / "trained"
    write_trials(directory, [0])
    Ledger(STUDY, directory)

    answer = CliRunner().invoke(app, ["register", str(directory)])

    assert answer.exit_code == 2
    assert "has no complete trial yet" in answer.stderr


def test_only_picks_that_the_objectives_allow_are_usual():
    objectives = [{"metric": "val/robust_accuracy"}, {"metric": "student/parameters"}]
    other = StudyConfig.model_validate({"name": "other", "objectives": objectives})

    assert usual_picks(make_results(study=other)) == ["knee", "max-robust"]
