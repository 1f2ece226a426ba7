"""Which addresses a study can be driven through."""

import io
import re

import pytest
from rich.console import Console

from tuner.running.cluster_address import job_server_of, require_inside
from tuner.running.session import Session
from tuner.storage.directory import StudyDirectory
from tuner.study import StudyConfig

INSIDE = [None, "auto", "local", "head:6379", "192.0.2.2:6379", "ray:6379", "http:6379"]
OUTSIDE = {
    "ray://head:10001": "http://head:8265",
    "ray://head": "http://head:8265",
    "ray://192.0.2.2:10001": "http://192.0.2.2:8265",
    "ray://[2001:db8::2]:10001": "http://[2001:db8::2]:8265",
    " RAY://head:10001 ": "http://head:8265",
    "http://127.0.0.1:8266": "http://127.0.0.1:8266",
    "https://ray.example.org/team": "https://ray.example.org/team",
}
ODD = [
    "ray://",
    "ray://:10001",
    "ray://[::1",
    "ray://fe80::1:10001",
    "ray://head:abc",
    "htp://head",
]


@pytest.mark.parametrize("address", INSIDE)
def test_a_ray_of_our_own_and_a_cluster_that_we_are_part_of_are_driven_from_here(address):
    assert job_server_of(address) is None
    require_inside(address)


@pytest.mark.parametrize(("address", "server"), OUTSIDE.items())
def test_from_outside_a_study_goes_to_the_job_server(address, server):
    assert job_server_of(address) == server
    with pytest.raises(ValueError, match=r"give auto or HOST:6379 on a machine of the cluster$"):
        require_inside(address)


@pytest.mark.parametrize("address", ODD)
def test_what_is_no_address_is_one_sentence(address):
    with pytest.raises(ValueError, match=rf"^address {re.escape(repr(address))} must be auto or"):
        job_server_of(address)


def test_a_session_refuses_rays_client_before_anything_is_written(tmp_path):
    place = StudyDirectory(tmp_path / "study")
    console = Console(file=io.StringIO())

    with pytest.raises(ValueError, match="reaches a cluster from outside"):
        Session(StudyConfig(name="study"), place, console, "ray://head:10001").run()

    assert not place.path.exists()
