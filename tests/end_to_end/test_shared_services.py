"""A study whose record and tracking lie in PostgreSQL, and its artifacts in a bucket."""

import time

import pytest
from team_services import need_postgres

from benchmarks.crashes.driver import Victim
from benchmarks.services.findings import findings
from benchmarks.services.together import services

pytestmark = pytest.mark.end_to_end

TRIALS = 4


@pytest.fixture(scope="module")
def team():
    need_postgres()
    with services() as running:
        yield running


@pytest.fixture
def study(team, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", team.postgres.password)
    victim = Victim(tmp_path, trials=TRIALS, **team.settings)
    yield victim
    if victim.alive:
        victim.kill_driver()


def wait_until_said(study, words):
    deadline = time.monotonic() + 120
    while words not in study.log.read_text():
        assert study.alive, study.log.read_text()
        assert time.monotonic() < deadline, f"nobody said {words!r}: {study.log.read_text()}"
        time.sleep(0.1)


def test_a_study_outlives_a_restart_of_postgresql_and_a_killed_driver(team, study):
    study.start()
    assert study.wait_for("stored", 2), study.log.read_text()

    team.postgres.stop()
    wait_until_said(study, "Optuna's storage is away")
    team.postgres.start()
    assert study.wait_for("stored", 4), study.log.read_text()
    study.kill_driver()
    code = study.finish()
    exported = study.finish("export", str(study.directory.path), "--pick", "knee")

    assert (code, exported) == (0, 0), study.log.read_text()
    assert len(study.records()) == TRIALS
    assert findings(team, study) == []
