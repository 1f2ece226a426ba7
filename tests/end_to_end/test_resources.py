"""A trial over two workers that runs out of memory, in a study on the real Ray."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from run_tuner import TUNER, mlflow_runs, records, tuner

from trainables.single import train
from tuner.exporting.config_files import load_trial_config
from tuner.records import TrialState

pytestmark = pytest.mark.end_to_end

SMALL_DEVICE = Path(__file__).with_name("small_device")
BATCH, WORKERS = 256, 2  # the teacher takes 50 images at once


@pytest.fixture(scope="module")
def ran(small_study, tmp_path_factory):
    """A study of one trial of three epochs whose second finds room for half of what it needs."""
    folder = tmp_path_factory.mktemp("resources")
    content = yaml.safe_load(small_study.read_text())
    content |= {"trials": 1, "resources": {"workers": WORKERS, "max_concurrent": 1}}
    content["base"] |= {"epochs": 3}
    content["base"]["data"] |= {"batch_size": BATCH}
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    paths = [str(SMALL_DEVICE), os.environ.get("PYTHONPATH", "")]
    planted = {"PYTHONPATH": os.pathsep.join(paths), "MOST_IMAGES": str(BATCH // WORKERS // 2)}
    result = subprocess.run(
        [*TUNER, "run", "study.yaml"],
        cwd=folder,
        env={**os.environ, **planted},
        capture_output=True,
        text=True,
        timeout=420,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return folder, result.stdout


def test_it_is_tried_again_from_its_last_checkpoint_and_ends_well(ran):
    (record,) = records(ran[0])

    assert record.state == TrialState.complete
    assert [report["epoch"] for report in record.reports] == [1, 2, 3]
    assert record.config["accumulation"] == {"micro_batches": 2, "from_epoch": 2}


def test_it_is_said_once_in_the_output_and_wherever_a_trial_is_told_of(ran):
    folder, output = ran
    words = "memory: tried again with 2 micro-batches from epoch 2"

    status = json.loads(tuner(folder, "status", "runs/digits", "--json").stdout)
    (run,) = mlflow_runs(folder)[1]

    assert output.count(words) == 1
    assert status["tried_again"] == {"0": words}
    assert run.data.tags["tuner.memory"] == words
    assert run.data.params["accumulation/micro_batches"] == "2"
    assert words in (folder / "runs" / "digits" / "report.html").read_text()


def test_one_process_with_the_exported_config_comes_to_the_same_losses(ran, tmp_path):
    folder, _ = ran
    (record,) = records(folder)
    config = load_trial_config(folder / "runs" / "digits" / "front" / "configs" / "knee.yaml")

    alone = dict(train(config, tmp_path / "checkpoint.pt", folder / "runs" / "teachers"))

    assert len(alone) == 3
    for report in record.reports:
        expected = alone[report["epoch"]]
        # signs of gradients near zero are a matter of rounding, so attacks and weights drift
        assert report["train/loss"] == pytest.approx(expected["train/loss"], rel=5e-3)
        for name in ("val/clean_accuracy", "val/robust_accuracy"):
            assert report[name] == pytest.approx(expected[name], abs=0.03)
