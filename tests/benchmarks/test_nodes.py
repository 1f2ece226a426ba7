"""What the trace of a study on several nodes says, and the network that they stand in."""

import os
import sys

import pytest

from benchmarks.nodes.cluster import wait_until
from benchmarks.nodes.network import HUB, Network, obstacle
from benchmarks.nodes.study import Study


@pytest.fixture
def traced(tmp_path):
    """``traced(line, …)``: a study whose processes have noted that."""

    def create(*lines):
        study = Study(tmp_path, epochs=3, attack_steps=1)
        study.trace.write_text("".join(f"{line}\n" for line in lines))
        return study

    return create


def test_a_trial_that_goes_on_elsewhere_is_in_turn(traced):
    study = traced(
        "entered 0 searched 1.0 driver",
        "begun 0 0 2.0 west",
        "saved 0 1 3.0 west",
        "begun 0 1 4.0 west",
        "begun 0 1 9.0 east",
        "refused 0 2 10.0 west",
        "saved 0 2 11.0 east",
    )

    assert study.written_out_of_turn() == []
    assert study.trained_again() == 1
    assert study.newest().node == "east"


def test_a_checkpoint_of_a_trials_first_self_is_out_of_turn(traced):
    study = traced("begun 0 1 4.0 west", "begun 0 1 9.0 east", "saved 0 2 10.0 west")

    assert study.written_out_of_turn() == ["west wrote epoch 2 of trial 0"]


@pytest.mark.slow
def test_a_host_is_reached_until_its_cable_is_pulled(tmp_path):
    if reason := obstacle():
        pytest.skip(reason)
    ask = "import socket, sys; socket.create_connection((sys.argv[1], 4711), timeout=1)"
    serve = "import socket; s = socket.create_server(('', 4711)); print(flush=True); s.accept()"
    with Network() as network:
        address = network.add("west")
        network.start("west", [sys.executable, "-c", serve], os.environ, tmp_path / "log")
        wait_until(lambda: (tmp_path / "log").read_text() != "", "it listens")

        def answers():
            asked = network.start(
                HUB, [sys.executable, "-c", ask, address], os.environ, tmp_path / "asked"
            )
            return asked.wait() == 0

        network.cut("west")
        cut = answers()
        network.mend("west")
        wait_until(answers, "it is reached again", patience=30)  # a busy machine: not at once

    assert not cut
    assert network.addresses == {}
