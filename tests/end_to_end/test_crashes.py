"""Studies that are killed: at exact moments, at random ones, with a whole node, by Ctrl-C."""

import random
import signal
import time

import pytest
from ray.cluster_utils import Cluster

from benchmarks.crashes.__main__ import Torment
from benchmarks.crashes.agreement import disagreements
from benchmarks.crashes.driver import Victim
from benchmarks.crashes.server import Server
from tuner.records import TrialState

pytestmark = pytest.mark.end_to_end

INTERRUPTED = 130


@pytest.fixture
def victim(tmp_path):
    """``victim(**changes)``: a study of four trials of three epochs, with rungs at 1 and 2."""
    studies = []

    def create(**changes):
        studies.append(Victim(tmp_path, **{"trials": 4, **changes}))
        return studies[-1]

    yield create
    for study in studies:
        if study.alive:
            study.kill_driver()


def died_at(victim, moment):
    """Run the command until somebody dies at the moment; the exit code of the driver."""
    victim.plant(moment)
    code = victim.finish()
    assert victim.uproot() == moment, f"nobody came to {moment!r}: {victim.log.read_text()}"
    return code


def test_the_driver_may_die_at_every_exact_moment(victim):
    study = victim()
    moments = [
        "half study.yaml",
        "before prepare_teachers",
        "after Ledger.enter",
        "after Ledger.report",
        "before Search._end",
        "half report.html",
        "before MlflowStudy.finish",
    ]

    codes = [died_at(study, moment) for moment in moments]
    last = study.finish()

    assert codes == [-signal.SIGKILL] * len(moments)
    assert last == 0, study.log.read_text()
    assert disagreements(study) == []


def test_a_half_written_checkpoint_is_not_loaded_and_its_trial_goes_on(victim):
    study = victim(trials=2)

    code = died_at(study, "half checkpoint.pt")

    assert code == 0, study.log.read_text()
    assert disagreements(study) == []
    assert not list(study.directory.path.glob("trials/*/.checkpoint.pt.*/*")), "half a file is left"


def test_random_kills_of_driver_actor_and_mlflow_server(victim, tmp_path):
    study = victim(trials=6)  # long enough for four kills

    with Server(tmp_path) as server:
        torment = Torment(study, server, random.Random(3))
        ended = torment.run(kills=4)

        assert ended, study.log.read_text()
        assert torment.kills.total() >= 4
        assert disagreements(study, uri=server.uri) == []


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A Ray cluster whose head trains nothing and whose two nodes train a trial each."""
    study = Victim(tmp_path, trials=4)
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

    assert study.driver.wait(180) == 0, study.log.read_text()
    assert disagreements(study) == []


def test_ctrl_c_once_stops_cleanly_and_twice_at_once(victim):
    study = victim()
    study.start()
    assert study.wait_for("stored", 1)
    study.interrupt()
    time.sleep(0.2)
    study.interrupt()
    began = time.monotonic()
    twice = study.driver.wait(60)
    seconds = time.monotonic() - began
    study.start()
    assert study.wait_for("stored", 2)

    study.interrupt()
    once = study.driver.wait(60)
    said = study.log.read_text()
    last = study.finish("resume", str(study.directory.path))

    assert (twice, once, last) == (INTERRUPTED, INTERRUPTED, 0), said
    assert seconds < 10
    assert "stopped at once; go on with: tuner resume" in said
    assert "trials to go; go on with: tuner resume" in said
    assert "Traceback" not in said
    assert TrialState.running not in {record.state for record in study.records()}
    assert disagreements(study) == []
