"""Who may drive a study, in a database; the other driver is a process of its own."""

import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from tuner.storage import lease
from tuner.storage.lease import (
    Lease,
    driver_in,
    in_words,
    is_dead_here,
    open_database,
    read,
    whoami,
)

DRIVER = """
import sys, time
from tuner.storage.lease import Lease
with Lease(sys.argv[1], "digits"):
    print("ready", flush=True)
    time.sleep(60)
"""
ELSEWHERE = '{"boot": "b", "host": "node2", "pid": 7, "space": "s", "started": 0}'


@pytest.fixture
def storage(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(lease, "BEAT", 0.1)
    monkeypatch.setattr(lease, "PATIENCE", 0.6)


@pytest.fixture
def driver(storage):
    """A driver in another process; it counts every 3 s."""
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, storage], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def set_holder(storage, holder, beat):
    with open_database(storage).begin() as connection:
        connection.execute(lease.DRIVERS.delete())
        row = {"study": "digits", "holder": holder, "beat": beat, "seen": time.time()}
        connection.execute(lease.DRIVERS.insert().values(row))


def test_one_driver_after_the_other(storage):
    with Lease(storage, "digits"):
        assert driver_in(storage, "digits") == in_words(whoami())
    assert driver_in(storage, "digits") is None

    with Lease(storage, "digits"):
        assert driver_in(storage, "digits") is not None


def test_studies_of_one_database_do_not_disturb_each_other(storage):
    with Lease(storage, "digits"), Lease(storage, "glyphs"):
        assert driver_in(storage, "glyphs") is not None


@pytest.mark.slow
def test_a_second_driver_is_refused_until_the_first_one_is_killed(storage, driver, monkeypatch):
    monkeypatch.setattr(lease, "PATIENCE", 60.0)
    expected = f"study 'digits' in {storage} is being run by process {driver.pid} on "
    with pytest.raises(ValueError, match=expected), Lease(storage, "digits"):
        pass

    driver.kill()
    driver.wait()
    began = time.monotonic()
    with Lease(storage, "digits"):
        waited = time.monotonic() - began

    assert waited < 60  # it is seen to be dead, as it was on this machine


def test_a_silent_driver_of_another_machine_is_followed_after_a_while(storage):
    said = []
    set_holder(storage, ELSEWHERE, 41)

    with Lease(storage, "digits", said.append):
        held = read(open_database(storage), "digits")

    assert held.holder == whoami()
    assert held.beat > 41
    assert said == ["looking for 0.6 s whether process 7 on node2 is alive"]


def test_of_two_who_follow_one_is_refused(storage):
    set_holder(storage, ELSEWHERE, 41)
    came, refused = [], []
    both, over = threading.Barrier(2), threading.Event()

    def follow(name):
        both.wait()
        try:
            with Lease(storage, "digits"):
                came.append(name)
                over.wait(60)
        except ValueError as error:
            refused.append(str(error))
            over.set()

    threads = [threading.Thread(target=follow, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(came) == 1
    assert "is being run by" in refused[0]


def test_who_was_taken_over_is_interrupted_and_told(storage):
    def be_taken_over():
        with Lease(storage, "digits"):
            set_holder(storage, ELSEWHERE, 41)
            time.sleep(30)

    with pytest.raises(ValueError, match="'digits' was taken over by another driver"):
        be_taken_over()

    assert read(open_database(storage), "digits").holder == ELSEWHERE


def test_only_a_process_of_this_machine_can_be_seen_to_be_dead():
    assert not is_dead_here(whoami())
    assert not is_dead_here(ELSEWHERE)
    assert not is_dead_here("")


def test_a_database_that_does_not_answer_keeps_its_password_to_itself():
    url = "postgresql://tuner:hunter2@127.0.0.1:1/optuna"

    with pytest.raises(ConnectionError, match=r"tuner:\*\*\*@127.0.0.1:1/optuna does not") as error:
        Lease(url, "digits").__enter__()

    assert "hunter2" not in str(error.value)


def test_a_storage_that_is_no_database_is_one_sentence():
    with pytest.raises(ConnectionError, match=r"storage nonsense does not open \(Could not parse"):
        Lease("nonsense", "digits").__enter__()


def test_a_database_that_breaks_off_while_it_is_asked_is_one_sentence(storage):
    open_database(storage).dispose()
    with sqlite3.connect(storage.removeprefix("sqlite:///")) as database:
        database.execute("DROP TABLE tuner_drivers")
        database.execute("CREATE TABLE tuner_drivers (study)")

    with pytest.raises(ConnectionError, match=r"does not open \(no such column"):
        Lease(storage, "digits").__enter__()


def test_to_ask_who_drives_makes_no_table(storage):
    assert driver_in(storage, "digits") is None
    with sqlite3.connect(storage.removeprefix("sqlite:///")) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == []
