"""A small study, and what it comes to when nothing disturbs it."""

import pytest
import yaml
from run_tuner import EPOCHS, TRIALS, tuner

from tuner.study_file import find_study


@pytest.fixture(scope="session")
def small_study(tmp_path_factory):
    """The digits study with few, short trials and a quick teacher."""
    content = yaml.safe_load(find_study("digits").read_text())
    content["trials"] = TRIALS
    content["base"] |= {"epochs": EPOCHS, "attack": {"steps": 2}}
    content["base"]["validation"] = {"attack": {"steps": 5}}
    content["teachers"]["resnet"]["training"] |= {"epochs": 2, "attack": {"steps": 2}}
    content["ranges"] = {"student/architecture": ["small_resnet6", "small_wide_resnet10"]}
    content |= {"scheduler": {"name": "fifo"}, "replicates": 1}  # every trial is whole, and once
    path = tmp_path_factory.mktemp("study") / "study.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="session")
def finished(small_study, tmp_path_factory):
    """A folder in which the study ran to its end without trouble, and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    result = tuner(folder, "run", small_study)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder, result
