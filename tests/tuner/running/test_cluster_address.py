"""Which addresses a study can be driven through."""

import io

import pytest
from rich.console import Console

from tuner.running.cluster_address import require_reachable
from tuner.running.session import Session
from tuner.storage.directory import StudyDirectory
from tuner.study import StudyConfig


@pytest.mark.parametrize("address", [None, "auto", "head:6379", "192.0.2.2:6379"])
def test_a_ray_of_our_own_and_a_cluster_that_we_are_part_of_are_taken(address):
    require_reachable(address)


def test_rays_client_is_refused_with_what_to_give_instead():
    with pytest.raises(ValueError, match=r"tuner submit and --address http://head:8265$"):
        require_reachable("ray://head:10001")


def test_a_session_refuses_rays_client_before_anything_is_written(tmp_path):
    place = StudyDirectory(tmp_path / "study")
    console = Console(file=io.StringIO())

    with pytest.raises(ValueError, match="cannot drive a study"):
        Session(StudyConfig(name="study"), place, console, "ray://head:10001").run()

    assert not place.path.exists()
