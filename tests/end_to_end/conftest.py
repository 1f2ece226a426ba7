"""A small study, what it comes to when nothing disturbs it, and one that is there to be killed."""

import os
import shutil

import pytest
import yaml
from run_tuner import EPOCHS, TRIALS, prepare_teachers, tuner

from benchmarks.crashes.driver import Victim
from tuner.study_file import find_study

# Everything that Chromium would do by itself is off: no GPU, no network of its own.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync"]


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


@pytest.fixture(scope="session")
def teachers(small_study, tmp_path_factory):
    """The folder of the small study's teacher, for studies of which only the trials matter."""
    return prepare_teachers(small_study, tmp_path_factory.mktemp("teachers"))


@pytest.fixture(scope="session")
def victims_teachers(tmp_path_factory):
    """The same for the study that is there to be killed."""
    victim = Victim(tmp_path_factory.mktemp("victim"))
    return prepare_teachers(victim.file, victim.directory.teachers)


@pytest.fixture
def victim(tmp_path, victims_teachers):
    """``victim(**changes)``: a study of four trials of three epochs, with rungs at 1 and 2."""
    studies = []

    def create(*, with_teacher=True, **changes):
        studies.append(Victim(tmp_path, **{"trials": 4, **changes}))
        if with_teacher:
            shutil.copytree(victims_teachers, studies[-1].directory.teachers)
        return studies[-1]

    yield create
    for study in studies:
        if study.alive:
            study.kill_driver()


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("CI has to look at pages, but there is no chromium")
    if path is None:
        pytest.skip("there is no chromium to look at pages with; install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()
