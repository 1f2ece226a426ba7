"""Studies that are disturbed while they run: killed at random, without a node, by Ctrl-C."""

import random
import time

import pytest
from ray.cluster_utils import Cluster

from benchmarks.crashes.__main__ import Torment
from benchmarks.crashes.agreement import disagreements
from benchmarks.crashes.server import Server
from tuner.records import TrialState

pytestmark = pytest.mark.end_to_end

INTERRUPTED = 130
PATIENCE = 600
"""Seconds that a driver may take to end on a busy machine."""
SERVER_ACTOR_DRIVER = 3493
"""The seed that kills one of each, in this order, early in the study."""


def test_random_kills_of_driver_actor_and_mlflow_server(victim, tmp_path):
    study = victim(trials=5)  # long enough for three kills

    with Server(tmp_path) as server:
        torment = Torment(study, server, random.Random(SERVER_ACTOR_DRIVER))
        ended = torment.run(kills=3)

        assert ended, study.log.read_text()
        assert torment.kills.total() >= 3
        assert disagreements(study, uri=server.uri) == []


@pytest.fixture
def cluster(victim, monkeypatch):
    """A Ray cluster whose head trains nothing and whose two nodes train a trial each."""
    study = victim()
    for name, value in study.environment.items():
        monkeypatch.setenv(name, value)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=1)
    yield cluster, study
    if study.alive:
        study.kill_driver()
    cluster.shutdown()


def test_a_node_may_be_lost_while_it_trains(cluster):
    nodes, study = cluster
    study.start("run", str(study.file), "--address", nodes.address)
    assert study.wait_for("saved", 2), study.log.read_text()

    nodes.remove_node(next(iter(nodes.worker_nodes)), allow_graceful=False)
    nodes.add_node(num_cpus=1)

    assert study.driver.wait(PATIENCE) == 0, study.log.read_text()
    assert disagreements(study) == []


def interrupt_twice(study):
    """Ctrl-C, and again half a second later; the driver's exit code."""
    assert study.wait_for("stored", 1 + sum(event[0] == "stored" for event in study.events()))
    study.interrupt()
    time.sleep(0.5)
    if study.alive:
        study.interrupt()
    return study.driver.wait(PATIENCE)


def test_ctrl_c_twice_stops_at_once(victim):
    study = victim()
    codes = []

    # two signals that come before Python looks at the first are one: then again
    while "stopped at once" not in (said := study.log.read_text() if codes else ""):
        assert len(codes) < 4, said
        study.start()
        codes.append(interrupt_twice(study))

    assert set(codes) == {INTERRUPTED}
    assert "stopped at once; go on with: tuner resume" in said
    assert "Traceback" not in said


def test_ctrl_c_once_stops_cleanly_and_the_study_goes_on(victim):
    study = victim()
    study.start()
    assert study.wait_for("stored", 2), study.log.read_text()

    study.interrupt()
    code = study.driver.wait(PATIENCE)
    said = study.log.read_text()
    stopped = [record.state for record in study.records()]
    last = study.finish("resume", str(study.directory.path))

    assert (code, last) == (INTERRUPTED, 0), study.log.read_text()
    assert "trials to go; go on with: tuner resume" in said
    assert "Traceback" not in said
    assert TrialState.running in stopped
    assert disagreements(study) == []
