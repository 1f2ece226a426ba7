"""What the doctor says of a cluster as a whole; tests/end_to_end/test_cluster_verbs.py has one."""

from dataclasses import replace

import pytest
from machines import NEED, NODE

from tuner.doctor import cluster as doctor_cluster
from tuner.doctor.cluster import authentication, connect, places
from tuner.study import ResourcesConfig


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"cpus": 4, "max_concurrent": 9}, "trials of 4 cores and 0 GPUs at once: 4"),
        ({"max_concurrent": 3}, "at once: 3 (resources.max_concurrent)"),
        ({"gpus": 0.5, "max_concurrent": 9}, "trials of 1 core and 0.5 GPUs at once: 2"),
    ],
)
def test_trials_at_once_are_those_that_fit(resources, said):
    machines = [NODE, replace(NODE, ray_gpus=1.0)]

    line = places(machines, replace(NEED, resources=ResourcesConfig(**resources)))

    assert line.ok
    assert line.text.startswith("16 cores and 1 GPU on 2 nodes; ")
    assert line.text.endswith(said)


def test_a_trial_that_fits_nowhere_would_wait_for_ever():
    line = places([NODE], replace(NEED, resources=ResourcesConfig(gpus=1)))

    assert not line.ok
    assert "but none has the 1 core and 1 GPU of a trial" in line.text


@pytest.mark.parametrize(("mode", "ok"), [("token", True), ("disabled", False)])
def test_a_cluster_that_anybody_may_use_is_a_finding(monkeypatch, mode, ok):
    monkeypatch.setenv("RAY_AUTH_MODE", mode)

    assert authentication().ok is ok


def test_a_cluster_that_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(doctor_cluster, "CONNECT_PATIENCE", 0.2)

    with pytest.raises(ConnectionError, match=r"takes us at 127\.0\.0\.1:1: .* within 0\.2 s"):
        connect("127.0.0.1:1")
