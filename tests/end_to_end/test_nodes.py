"""Nodes with addresses of their own: one is cut off while it trains, another joins."""

import os

import pytest

from benchmarks.crashes.agreement import disagreements
from benchmarks.nodes.cluster import Cluster, wait_until
from benchmarks.nodes.events import let_train, stop_training
from benchmarks.nodes.network import obstacle
from benchmarks.nodes.study import Study

pytestmark = pytest.mark.end_to_end

IMPATIENT = {
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "5",
}
"""Ray takes a node for dead after some 12 s of silence; by default after about a minute."""
LAST = 1
"""Epochs before the last one."""


@pytest.fixture
def study(tmp_path):
    """One trial of two long epochs."""
    if reason := obstacle():
        pytest.skip(reason)
    study = Study(tmp_path, epochs=LAST + 1, attack_steps=25, trials=1)
    yield study
    study.stop()


def test_a_trial_goes_on_on_a_new_node_and_its_first_self_writes_no_more(study):
    with Cluster({**os.environ, **study.environment, **IMPATIENT}) as cluster:
        cluster.add("west")
        study.start_on(cluster)
        wait_until(lambda: any(e.epoch == LAST for e in study.traced("begun")), "the last epoch")
        held = stop_training(cluster, "west")
        cluster.network.cut("west")
        cluster.add("east")
        code = study.wait()
        written = (study.directory.trial(0) / "checkpoint.pt").read_bytes()
        let_train(held)  # it never heard that it was given up
        wait_until(lambda: study.traced("refused") != [], "the first self comes to its checkpoint")

    begun = [(event.node, event.epoch) for event in study.traced("begun")]
    assert code == 0, study.log.read_text()
    assert begun == [("west", 0), ("west", LAST), ("east", LAST)]
    assert [event.node for event in study.traced("refused")] == ["west"]
    assert (study.directory.trial(0) / "checkpoint.pt").read_bytes() == written
    assert study.written_out_of_turn() == []
    assert disagreements(study) == []
