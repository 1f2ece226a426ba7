"""How a study grew: what was known at each moment, and nothing that came later."""

import dataclasses
from datetime import timedelta

import pytest
from make_records import START, make_record, make_results, make_study

from tuner.analysis.results import Results
from tuner.records import TrialState
from tuner.reporting.growth import MOST, growth, write_growth_png


def test_the_hypervolume_of_two_objectives_is_the_area_reached_so_far():
    results = make_results((0.8, 0.5), (0.4, 0.6), (0.9, 0.7))

    moments = growth(results)

    assert [moment.complete for moment in moments] == [1, 2, 3]
    areas = [0.8 * 0.5, 0.8 * 0.5 + 0.4 * 0.1, 0.9 * 0.7]
    assert [moment.hypervolume for moment in moments] == pytest.approx(areas)
    assert moments[-1].hypervolume == pytest.approx(results.hypervolume)


def test_a_moment_stays_the_same_as_the_study_goes_on():
    earlier = make_results((0.8, 0.5), (0.4, 0.6))
    later = make_results((0.8, 0.5), (0.4, 0.6), (0.9, 0.7))

    assert growth(later)[:2] == growth(earlier)


def test_trials_count_in_the_order_in_which_they_ended():
    slow = dataclasses.replace(make_record(0, 0.9, 0.9), ended=START + timedelta(hours=2))

    moments = growth(Results(make_study(), [slow, make_record(1, 0.5, 0.5)]))

    assert [moment.hypervolume for moment in moments] == pytest.approx([0.25, 0.81])
    assert moments[-1].when == START + timedelta(hours=2)


def test_a_second_seed_may_take_back_what_a_first_one_promised():
    lucky, unlucky = make_record(0, 0.8, 0.6), make_record(1, 0.8, 0.2)
    repeated = dataclasses.replace(unlucky, repeats=0)

    moments = growth(Results(make_study(replicates=2), [lucky, repeated]))

    assert [moment.hypervolume for moment in moments] == pytest.approx([0.48, 0.32])


def test_hours_are_those_of_all_trials_up_to_then_the_unfinished_ones_too():
    ended = START + timedelta(minutes=3)
    when = ended.timestamp() * 1000
    reports = [
        {"epoch": 1, "timestamp": when - 5000, "cost/seconds": 1800.0},
        {"epoch": 2, "timestamp": when + 5000, "cost/seconds": 900.0},
    ]
    running = dataclasses.replace(make_record(1, state=TrialState.running), reports=tuple(reports))

    (moment,) = growth(
        Results(make_study(resources={"gpus": 2}), [make_record(0, 0.5, 0.5), running])
    )

    assert moment.hours == pytest.approx(2 * 0.5)


def test_a_large_study_is_looked_at_now_and_then_and_at_its_end():
    results = make_results(*[(0.5, 0.5)] * (2 * MOST + 1))

    moments = growth(results)

    assert len(moments) <= MOST
    assert moments[-1].complete == 2 * MOST + 1


def test_the_picture_is_a_png_and_the_same_again(tmp_path):
    results = make_results((0.8, 0.5), (0.4, 0.6))

    first, second = (
        write_growth_png(results, growth(results), tmp_path / name).read_bytes()
        for name in ("first.png", "second.png")
    )

    assert first.startswith(b"\x89PNG")
    assert first == second


def test_a_study_without_complete_trials_has_no_moments():
    results = Results(make_study(), [make_record(0, state=TrialState.running)])

    assert growth(results) == []
