"""A study's record in a real PostgreSQL that is restarted, cut off, or gone."""

import os
import secrets

import pytest
from cut_connection import Cut
from ledger_study import REPORT, STUDY
from optuna.exceptions import StorageInternalError
from team_services import need_postgres

from benchmarks.services.postgres import Postgres
from tuner.records import TrialState
from tuner.search.proposer import Proposer
from tuner.storage.database import open_database, with_driver
from tuner.storage.lease import Lease, driver_in
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig


@pytest.fixture(scope="module")
def postgres():
    need_postgres()
    with Postgres("optuna") as server:
        yield server


@pytest.fixture
def study():
    return StudyConfig.model_validate({**STUDY, "name": f"small-{secrets.token_hex(4)}"})


@pytest.fixture
def begin(study):
    """``begin(ledger)``: enter the next trial; its number."""
    proposer = Proposer(study)
    return lambda ledger: ledger.enter(proposer.next()).number


@pytest.fixture(autouse=True)
def _password(postgres, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", postgres.password)


@pytest.fixture
def reopen(study, postgres, tmp_path):
    """``reopen()``: the study's ledger, as another driver finds it."""
    return lambda: Ledger(study, tmp_path, open_database(postgres.url("optuna")))


@pytest.fixture
def breakable(study, postgres, tmp_path):
    """A ledger of the same study, behind a line that can be cut, and that line."""
    line = Cut(postgres.port)
    url = postgres.url("optuna").replace(str(postgres.port), str(line.port))
    yield Ledger(study, tmp_path, open_database(url, patience=1)), line
    line.close()


def test_a_ledger_outlives_a_restart_of_its_database(postgres, reopen, begin):
    ledger = reopen()
    number = begin(ledger)

    postgres.stop()
    postgres.start()
    ledger.report(number, REPORT)
    ledger.complete(number)

    (record,) = reopen().records()
    assert (record.state, len(record.reports)) == (TrialState.complete, 1)


def test_a_report_that_breaks_off_is_stored_once(breakable, reopen, begin):
    ledger, line = breakable
    number = begin(ledger)

    line.arm(b"INSERT INTO trial_user_attributes")
    ledger.report(number, REPORT)

    (record,) = reopen().records()
    assert (line.cuts, len(record.reports)) == (1, 1)


@pytest.mark.parametrize("swallow", [True, False], ids=["before it is kept", "after it is kept"])
def test_an_end_that_breaks_off_is_stored_once(breakable, reopen, begin, swallow):
    ledger, line = breakable
    number = begin(ledger)
    ledger.report(number, REPORT)

    line.arm(b"UPDATE trials", b"COMMIT", swallow=swallow)
    ledger.complete(number)

    (record,) = reopen().records()
    assert (line.cuts, record.state) == (1, TrialState.complete)
    assert record.values["val/robust_accuracy"] == REPORT["val/robust_accuracy"]


def test_a_trial_that_breaks_off_while_it_is_entered_is_there_once(breakable, reopen, begin):
    ledger, line = breakable

    line.arm(b"INSERT INTO trials", b"COMMIT", swallow=True)
    number = begin(ledger)

    assert (line.cuts, number) == (1, 0)
    assert [record.number for record in reopen().records()] == [0]


@pytest.mark.slow
def test_a_trial_that_optuna_enters_twice_is_noticed(breakable, reopen, begin):
    ledger, line = breakable

    line.arm(b"INSERT INTO trials", b"COMMIT")
    with pytest.raises(StorageInternalError, match="trial 0 was entered twice as it broke off"):
        begin(ledger)

    assert reopen().unfinished() == [0, 1]


@pytest.mark.slow
def test_a_database_that_stays_away_is_given_up(breakable, begin):
    ledger, line = breakable
    number = begin(ledger)

    line.close()
    with pytest.raises(StorageInternalError):
        ledger.report(number, REPORT)


def test_the_lease_of_a_driver_lies_in_the_same_database(postgres):
    with Lease(postgres.url("optuna"), "small"):
        held = driver_in(postgres.url("optuna"), "small")

    assert held.startswith(f"process {os.getpid()} on ")
    assert driver_in(postgres.url("optuna"), "small") is None


def test_a_postgresql_url_takes_the_driver_that_is_installed():
    plain, named = "postgresql://tuner@host/optuna", "postgresql+pg8000://tuner@host/optuna"

    assert with_driver(plain).startswith("postgresql+psycopg")
    assert with_driver(plain).endswith("://tuner@host/optuna")
    assert with_driver(named) == named
    assert with_driver("sqlite:///x.db") == "sqlite:///x.db"
