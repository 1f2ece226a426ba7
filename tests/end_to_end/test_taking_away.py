"""From a finished study to a model that runs where none of this is installed."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from run_tuner import EPOCHS, mlflow_runs, records, verb

from tuner.evaluation.target import Foreign, find_target
from tuner.exporting.config_files import export_config, load_trial_config
from tuner.showing import results_of
from tuner.storage.directory import StudyDirectory

pytestmark = pytest.mark.end_to_end

ELSEWHERE = """
import sys
sys.modules.update(dict.fromkeys(["torch", "trainables", "tuner"]))  # importing them fails
import numpy as np, onnxruntime

session = onnxruntime.InferenceSession("student.onnx")
data = np.load(sys.argv[1])
(logits,) = session.run(["logits"], {"images": data["images"]})
print((logits.argmax(axis=1) == data["labels"]).mean())
"""


@pytest.fixture(scope="module")
def packaged(finished):
    """The study's folder, the trial's number, and the folder of its package."""
    folder, _ = finished
    exported = verb(folder, "export", "runs/digits", "--pick", "max-clean")
    trained = verb(folder, "train", "runs/digits/exported/max-clean.yaml")
    made = verb(folder, "package", "runs/train/max-clean")
    for result in (exported, trained, made):
        assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    return folder, int(exported.stdout.split()[1]), folder / "runs/train/max-clean/package"


def test_every_config_of_the_study_goes_out_and_comes_back(finished, tmp_path):
    folder, _ = finished
    results = results_of(StudyDirectory(folder / "runs/digits"))
    numbers = [record.number for record in results.complete]

    paths = [export_config(results, f"trial:{n}", tmp_path / f"{n}.yaml") for n in numbers]

    configs = [load_trial_config(path).model_dump(mode="json") for path in paths]
    assert configs == [record.config for record in results.complete]


def test_the_trained_student_is_the_trial_and_in_mlflow(packaged):
    folder, number, place = packaged
    lines = (place.parent / "metrics.csv").read_text().splitlines()
    last = dict(zip(lines[0].split(","), lines[-1].split(","), strict=True))

    metrics = records(folder)[number].metrics

    assert int(last["epoch"]) == EPOCHS
    for name in ("train/loss", "val/clean_accuracy", "val/robust_accuracy"):
        assert float(last[name]) == metrics[name]
    parents, children = mlflow_runs(folder)
    assert len(parents) == 1  # the training is in an experiment of its own
    assert len(children) == len(records(folder))


def test_onnx_runtime_alone_reproduces_the_accuracy(packaged, tmp_path):
    _, _, place = packaged
    told = json.loads((place / "package.json").read_text())
    target = find_target(place.parent, Foreign())
    split = data_of(target).test[: told["network"]["images"]]
    np.savez(tmp_path / "test.npz", images=split.images.numpy(), labels=split.labels.numpy())

    result = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, tmp_path / "test.npz"],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    )

    assert float(result.stdout) == told["network"]["clean_accuracy"]
    assert told["good"] is True
    assert told["provenance"]["study"] == "digits"


def data_of(target):
    from trainables.data import load_data

    return load_data(target.config.data, torch.device("cpu"))


def test_weights_alone_are_measured_like_the_checkpoint(packaged):
    folder, _, _ = packaged
    arguments = ("--attack", "fgsm", "--images", "60", "--no-gates")

    shown = [
        verb(folder, "evaluate", f"runs/train/max-clean/{name}", *arguments).stdout.splitlines()
        for name in ("checkpoint.pt", "student.safetensors")
    ]

    assert shown[0][1:-2] == shown[1][1:-2]
    assert any("FGSM" in line for line in shown[0])


def test_the_whole_front_goes_out_at_once(finished, tmp_path):
    folder, _ = finished

    result = verb(folder, "export", "runs/digits", "--all", "--output", tmp_path)

    assert result.returncode == 0, result.stderr
    written = [load_trial_config(path) for path in tmp_path.glob("trial_*.yaml")]
    told = [line for line in result.stdout.splitlines() if line.startswith("trial ")]
    assert len(written) == len(told) >= 1
