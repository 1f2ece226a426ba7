"""What Ray sets aside for a trial."""

import pytest

from tuner.running.placement import placement, require, waiting_for
from tuner.study import ResourcesConfig, StudyConfig


@pytest.mark.parametrize(
    ("resources", "config", "bundles"),
    [
        ({"cpus": 2}, {}, [{"CPU": 2}]),
        ({"gpus": 0.25}, {}, [{"CPU": 1, "GPU": 0.25}]),
        ({"gpus": 0.25}, {"alone": True}, [{"CPU": 1, "GPU": 1}]),
        ({"gpus": 2}, {"alone": True}, [{"CPU": 1, "GPU": 2}]),
        ({"gpus": 0}, {"alone": True}, [{"CPU": 1}]),
        ({"gpus": 0.5, "workers": 2}, {"alone": True}, [{}, *[{"CPU": 1, "GPU": 0.5}] * 2]),
        ({"gpus": 1, "workers": 2}, {}, [{}, {"CPU": 1, "GPU": 1}, {"CPU": 1, "GPU": 1}]),
    ],
)
def test_a_trial_gets_a_place_per_process_and_alone_a_whole_gpu(resources, config, bundles):
    factory = placement(ResourcesConfig(**resources))(config)

    assert [dict(bundle) for bundle in factory._bundles] == [b for b in bundles if b]
    assert factory.head_bundle_is_empty == (not bundles[0])


def test_a_part_of_a_second_gpu_is_refused_before_ray_does():
    with pytest.raises(ValueError, match=r"gpus above 1 must be a whole number.*, got 1\.5"):
        ResourcesConfig(gpus=1.5)
    assert ResourcesConfig(gpus=2.0).gpus == 2


def test_more_gpus_for_the_workers_than_there_are_is_refused():
    resources = ResourcesConfig(gpus=1, workers=4)

    with pytest.raises(ValueError, match="per trial for each of 4 workers, but this machine has 2"):
        require(resources, {"GPU": 2.0})
    require(resources, {"GPU": 4.0})


@pytest.mark.parametrize(
    ("asked", "lent"),
    [
        ({"gpus": 0.5}, [{"CPU": 8}, {"CPU": 1, "GPU": 1}]),
        ({"workers": 3, "cpus": 2}, [{"CPU": 2}, {"CPU": 5}]),
    ],
)
def test_a_cluster_with_room_for_a_trial_is_not_waited_for(asked, lent):
    assert waiting_for(ResourcesConfig(**asked), lent) == ""


@pytest.mark.parametrize(
    ("asked", "lent", "said"),
    [
        ({"gpus": 1}, [{"CPU": 8}, {"GPU": 1}], "(1 core and 1 GPU) on its 2 nodes"),
        ({"workers": 3}, [{"CPU": 2}, {}], "(3 x 1 core and 0 GPUs) on its 2 nodes"),
        ({"cpus": 4}, [], "(4 cores and 0 GPUs) on its 0 nodes"),
    ],
)
def test_a_cluster_without_room_for_a_trial_is_told_of(asked, lent, said):
    assert said in waiting_for(ResourcesConfig(**asked), lent)


def test_a_batch_that_the_workers_cannot_share_is_refused_with_the_study():
    settings = {"name": "x", "base": {"data": {"batch_size": 64}}, "resources": {"workers": 3}}

    with pytest.raises(ValueError, match="multiple of 3 workers, got 64; make it 63 or 66"):
        StudyConfig.model_validate(settings)


def test_a_study_over_several_workers_is_not_compiled():
    settings = {"name": "x", "base": {"hardware": {"compile": True}}}

    StudyConfig.model_validate(settings)
    with pytest.raises(ValueError, match=r"hardware\.compile is true, but BatchNorm over several"):
        StudyConfig.model_validate({**settings, "resources": {"workers": 2}})


def test_a_trial_costs_what_all_its_workers_hold():
    assert ResourcesConfig(gpus=0.5, workers=2).share == 1.0
    assert ResourcesConfig(workers=2).share == 2.0
