"""What MLflow holds of a study's trials when it has ended: whole, once, and loadable anywhere."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from run_tuner import EPOCHS, TRIALS, mlflow_runs, records, verb

from trainables.data import load_data
from tuner.analysis.results import Results
from tuner.evaluation.target import Foreign, find_target
from tuner.showing import results_of
from tuner.storage.directory import StudyDirectory
from tuner.tracking.client import MlflowClient

pytestmark = pytest.mark.end_to_end

LOAD = """
import json, sys
import mlflow, numpy
mlflow.set_tracking_uri(sys.argv[1])
images = numpy.load(sys.argv[3])
logits = mlflow.pyfunc.load_model(sys.argv[2]).predict(images)
ours = [name for name in sys.modules if name.partition(".")[0] in {"tuner", "trainables"}]
print(json.dumps({"logits": logits.tolist(), "ours": ours}))
"""


def uri(folder):
    return f"sqlite:///{folder}/runs/mlflow.db"


def place(folder):
    return StudyDirectory(folder / "runs" / "digits")


def children(folder):
    _, found = mlflow_runs(folder)
    return {int(run.data.tags["tuner.trial"]): run for run in found}


def models(folder):
    client = MlflowClient(uri(folder))
    experiment = client.get_experiment_by_name("digits").experiment_id
    return {
        int(model.tags["tuner.trial"]): model for model in client.search_logged_models([experiment])
    }


def contents(folder):
    """Ids of everything that could be doubled."""
    runs = children(folder)
    inputs = [
        sorted(item.dataset.digest for item in run.inputs.dataset_inputs) for run in runs.values()
    ]
    found = models(folder)
    tags = {number: run.data.tags for number, run in runs.items()}
    ids = {number: model.model_id for number, model in found.items()}
    metrics = {number: len(model.metrics) for number, model in found.items()}
    return {n: run.info.run_id for n, run in runs.items()}, inputs, tags, ids, metrics


def test_every_trial_says_what_it_is_and_what_it_cost(finished):
    folder, _ = finished

    for number, run in children(folder).items():
        record, tags = records(folder)[number], run.data.tags
        assert tags["tuner.method"] == record.config["method"]["name"]
        assert tags["tuner.student"] == record.student
        assert tags["tuner.hardware"].startswith("cpu ")
        assert tags["tuner.checkpoint"]
        assert run.data.metrics["cost/total_seconds"] > 0
        assert run.data.metrics["cost/gpu_seconds"] == 0
        assert run.data.params["epochs"] == str(EPOCHS)


def test_every_trial_has_its_data_as_inputs(finished):
    folder, _ = finished

    inputs = {
        (item.dataset.name, item.dataset.digest, item.tags[0].value)
        for run in children(folder).values()
        for item in run.inputs.dataset_inputs
    }

    assert {(name, context) for name, _, context in inputs} == {
        ("digits (train)", "train"),
        ("digits (validation)", "validation"),
    }
    assert len(inputs) == 2


def test_the_studys_run_has_its_config_and_its_cost(finished):
    folder, _ = finished
    (parent,), _ = mlflow_runs(folder)

    assert parent.data.params["base/epochs"] == str(EPOCHS)
    assert parent.data.tags["tuner.trials"] == str(TRIALS)
    assert float(parent.data.tags["tuner.seconds"]) > 0
    client = MlflowClient(uri(folder))
    assert "study.yaml" in [file.path for file in client.list_artifacts(parent.info.run_id)]


def test_exactly_the_front_is_logged_as_models(finished):
    folder, _ = finished
    results: Results = results_of(place(folder))

    # another test may have registered a trial beside the front, whose model has not its tag
    tagged = models(folder).items()
    found = {n: model for n, model in tagged if model.tags.get("tuner.front") == "true"}

    assert set(found) == {record.number for record in results.front}
    assert {model.status for model in found.values()} == {"READY"}
    own = {record.number: record.values for record in results.records}
    for number, model in found.items():
        metrics = {metric.key: metric.value for metric in model.metrics}
        assert metrics["final/clean_accuracy"] == own[number]["val/clean_accuracy"]


def test_a_model_loads_without_our_code_and_says_what_the_checkpoint_says(finished, tmp_path):
    folder, _ = finished
    knee = results_of(place(folder)).knee.number
    target = find_target(place(folder).trial(knee), Foreign())
    images = load_data(target.config.data, torch.device("cpu")).validation.images[:9]
    np.save(tmp_path / "images.npy", images.numpy())
    registered = verb(folder, "register", "runs/digits", "--on", "validation")
    assert registered.returncode == 0, registered.stderr

    loaded = subprocess.run(
        [sys.executable, "-c", LOAD, uri(folder), "models:/digits@knee", tmp_path / "images.npy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    said = json.loads(loaded.stdout)
    with torch.no_grad():
        expected = target.network.eval()(images)
    torch.testing.assert_close(torch.tensor(said["logits"]), expected, atol=1e-5, rtol=1e-4)
    assert said["ours"] == []
    assert loaded.stderr == ""


def test_a_sync_doubles_nothing(finished):
    folder, _ = finished
    before = contents(folder)

    again = verb(folder, "sync", "runs/digits")

    assert again.returncode == 0, again.stderr
    assert again.stderr == ""
    assert contents(folder) == before
