"""The Ray that a study starts for itself: who can reach it, and who can read its token."""

import ipaddress
import json
import os
import stat
import subprocess
import sys

import pytest

pytestmark = pytest.mark.end_to_end

DRIVER = """
import json, os, subprocess, sys
import psutil, ray
from trainables.workers.own_ray import BOUND
from tuner.running.runner import ray_session
from tuner.study import ResourcesConfig

STRANGER = "import ray, sys; ray.init(sys.argv[1], logging_level=50, log_to_driver=False)"

with ray_session(ResourcesConfig(), None):
    ray.get(ray.remote(lambda: 1).remote())
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    places = []
    for process in family:
        try:
            places += [c.laddr.ip for c in process.net_connections("inet") if c.status == "LISTEN"]
        except psutil.NoSuchProcess:
            continue
    address = ray.get_runtime_context().gcs_address
    stranger = subprocess.run(
        [sys.executable, "-c", STRANGER, address],
        env={
            **os.environ, BOUND: "0", "RAY_AUTH_TOKEN": "0" * 64,
            "RAY_gcs_server_request_timeout_seconds": "5",
        },
        capture_output=True, text=True, timeout=240,
    )
    print(json.dumps({"places": places, "stranger": stranger.returncode, "said": stranger.stderr}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Where a Ray of our own listens, and what became of somebody with another token."""
    home = tmp_path_factory.mktemp("home")
    ours = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        env={**ours, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return home, json.loads(done.stdout.splitlines()[-1])


def is_loopback(place):
    address = ipaddress.ip_address(place)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def test_it_listens_at_this_machine_alone(seen):
    _, found = seen

    assert len(found["places"]) >= 5
    assert [place for place in found["places"] if not is_loopback(place)] == []


def test_nobody_joins_it_with_another_token(seen):
    _, found = seen

    assert found["stranger"] != 0
    assert "InvalidAuthToken" in found["said"]


def test_its_token_is_its_owners(seen):
    home, _ = seen
    token = home / ".ray" / "auth_token"

    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert len(token.read_text()) == 64
