"""The services that a team shares, for tests."""

import os

import pytest

from benchmarks.services.postgres import programs


def need_postgres():
    """Skip a test on a machine without PostgreSQL; in CI, let it fail."""
    if programs() is None and not os.environ.get("CI"):
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
