"""What ``tuner simulate`` prints."""

import io

import pytest
from rich.console import Console

from tuner.simulation.doing import Request, simulate_and_show
from tuner.study import ResourcesConfig
from tuner.study_file import find_study, load_study


@pytest.fixture
def row():
    """``row(there, **resources)``: the cells of a short ``digits`` study without early stopping."""

    def simulate(there, **resources):
        study = load_study(find_study("digits")).model_copy(
            update={"trials": 6, "replicates": 1, "resources": ResourcesConfig(**resources)}
        )
        text = io.StringIO()
        simulate_and_show(study, Request(there, seeds=1), None, Console(file=text, width=120))
        (line,) = (one for one in text.getvalue().splitlines() if "without early" in one)
        return line.split()[3:]

    return simulate


@pytest.mark.slow
def test_a_trial_over_two_workers_takes_two_gpus(row):
    time, gpu_time, *_ = row(2)

    for_two, gpu_time_of_two, *_ = row(4, workers=2, gpus=1)

    assert for_two == time
    assert seconds(gpu_time_of_two) == pytest.approx(2 * seconds(gpu_time), abs=2)


@pytest.mark.slow
def test_gpu_time_counts_the_share_of_a_gpu(row):
    time, gpu_time, *_ = row(2)

    shared, half, *_ = row(1, gpus=0.5)

    assert shared == time
    assert seconds(half) == pytest.approx(seconds(gpu_time) / 2, abs=2)


@pytest.mark.slow
def test_fewer_gpus_than_a_trial_takes_are_refused(row):
    with pytest.raises(ValueError, match=r"takes 5 GPUs \(resources: 5 x 1\), but --gpus gives 2"):
        row(2, workers=5, gpus=1)


def seconds(clock):
    hours, minutes, rest = map(int, clock.split(":"))
    return 3600 * hours + 60 * minutes + rest
