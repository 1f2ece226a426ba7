"""The rules of the house: who may import what."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIBRARY = sorted(
    p for d in ("trainables", "search_spaces", "tuner") for p in (ROOT / d).rglob("*.py")
)
ALLOWED = {
    "ray": {
        "trainables/trainable.py",
        "trainables/distributed.py",
        "trainables/workers/worker_group.py",
        "tuner",
    },
    "optuna": {"search_spaces", "tuner"},
    "mlflow": {"tuner"},
}


def test_the_import_contracts_hold():
    result = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_frameworks_stay_at_the_rim(path):
    place = str(path.relative_to(ROOT))

    foreign = imported_packages(path) & set(ALLOWED)

    assert all(place.startswith(tuple(ALLOWED[package])) for package in foreign)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_have_at_most_three_hundred_lines(path):
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.slow
def test_training_runs_without_ray_optuna_and_mlflow():
    blocked = "import sys; sys.modules.update(dict.fromkeys(['ray', 'optuna', 'mlflow']));"
    program = f"{blocked} import trainables.single, trainables.teachers, trainables.distillation"

    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_help_does_not_import_torch_or_ray():
    program = (
        "import sys, tuner.cli; assert not {'torch', 'ray', 'mlflow', 'optuna'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.slow
def test_looking_at_a_study_imports_nothing_that_only_running_one_needs():
    program = (
        "import sys, tuner.showing, tuner.analysis.status_view, tuner.exporting.front; "
        "assert not {'ray', 'mlflow', 'sklearn', 'scipy.stats'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_the_garbage_collector_stays_as_the_user_has_set_it():
    program = (
        "import gc; gc.set_threshold(700, 20, 30); import trainables; "
        "assert gc.get_threshold() == (700, 20, 30)"
    )

    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def imported_packages(path):
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    froms = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in plain + froms}
