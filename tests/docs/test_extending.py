"""The worked examples of docs/extending.md, built into a copy of the project as they stand."""

import os
import shutil
import subprocess
import sys

import pytest
import yaml
from documents import DOCS, ROOT, blocks, insert

PAGE = DOCS / "extending.md"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the project that has the four examples."""
    copy = tmp_path_factory.mktemp("project")
    for name in ("trainables", "search_spaces", "tuner", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for block in blocks(PAGE, "python", "yaml"):
        (copy / block.title).write_text(block.text)
    for block in blocks(PAGE, "diff"):
        file = copy / block.title
        file.write_text(insert(file.read_text(), block.text))
    return copy


def run(folder, *arguments):
    """Run Python in the copy, with the copy's packages."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_examples_hold_the_contracts_of_their_kinds(extended):
    contracts = [
        "tests/trainables/test_method_contracts.py",
        "tests/trainables/test_alignments.py",
        "tests/search_spaces/test_sampling.py",
    ]
    ours = "mart or relational"

    result = run(extended, "-m", "pytest", "-v", "-p", "no:cacheprovider", *contracts, "-k", ours)

    assert result.returncode == 0, result.stdout[-3000:]
    assert all(name in result.stdout for name in ("[mart]", "[relational]", "[mart_digits]"))


def test_the_study_of_all_four_resolves(extended):
    result = run(extended, "-m", "tuner", "run", "mine.yaml", "--dry-run")

    assert result.returncode == 0, result.stderr
    assert "search_space: mart_digits" in result.stdout


def test_a_student_is_trained_with_all_four(extended):
    study = yaml.safe_load((extended / "mine.yaml").read_text())
    trial = {
        **study["base"],
        "epochs": 1,
        "method": {"name": "mart"},
        "student": {"architecture": "small_resnet10"},
        "alignments": {"relational": {"weight": 2.0}},
        "teacher": study["teachers"]["resnet"],
    }
    (extended / "trial.yaml").write_text(yaml.safe_dump(trial))

    result = run(extended, "-m", "tuner", "train", "trial.yaml", "--output", "trained")

    assert result.returncode == 0, result.stderr
    assert "relational_loss" in result.stdout
    assert (extended / "trained" / "checkpoint.pt").is_file()


def test_the_examples_are_written_as_the_projects_code_is(extended):
    files = [block.title for block in blocks(PAGE, "python")]

    result = run(extended, "-m", "ruff", "check", *files)
    formatted = run(extended, "-m", "ruff", "format", "--check", *files)

    assert len(files) == 4
    assert result.returncode == 0, result.stdout
    assert formatted.returncode == 0, formatted.stderr
