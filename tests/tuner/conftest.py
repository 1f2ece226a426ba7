"""A store that tests of MLflow share."""

import tempfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder of studies, with one store beside them: a new store takes most of a second."""
    from tuner.tracking.client import connect  # heavy: for the tests that ask for it

    folder = tmp_path_factory.mktemp("runs")
    connect(f"sqlite:///{folder / 'mlflow.db'}")
    return folder


@pytest.fixture
def directory(shared):
    """A study's own directory."""
    return Path(tempfile.mkdtemp(dir=shared))
