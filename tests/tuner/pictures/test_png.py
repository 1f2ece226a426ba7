import struct

import pytest
from make_records import make_record, make_results, make_search, make_study

from tuner.analysis.results import Results
from tuner.pictures.front import FrontPicture
from tuner.pictures.png import write_front_png

TWO_WAYS = [
    {"metric": "val/clean_accuracy"},
    {"metric": "student/parameters", "direction": "minimize"},
]


def corners(results):
    picture = FrontPicture(results)
    return [(round(x, 6), round(y, 6)) for x, y in picture.stairs], picture


def test_the_staircase_turns_at_every_member_of_the_front():
    stairs, picture = corners(make_results((0.9, 0.4), (0.8, 0.5), (0.7, 0.3)))

    inner = [(90, 40), (80, 40), (80, 50)]
    ends = [(90, round(picture.y.low, 6)), (round(picture.x.low, 6), 50)]
    assert stairs == [ends[0], *inner, ends[1]]


def test_the_staircase_turns_the_other_way_for_what_is_minimised():
    results = Results(
        make_study(objectives=TWO_WAYS),
        [
            make_record(i, *point, metrics=tuple(o["metric"] for o in TWO_WAYS))
            for i, point in enumerate([(0.9, 4000.0), (0.8, 1000.0)])
        ],
    )

    stairs, picture = corners(results)

    inner = [(90, 4000), (80, 4000), (80, 1000)]
    ends = [(90, round(picture.y.high, 6)), (round(picture.x.low, 6), 1000)]
    assert stairs == [ends[0], *inner, ends[1]]


def test_the_front_and_the_baselines_are_always_inside_the_picture():
    picture = FrontPicture(make_search())

    inside = {mark.record.number for mark in picture.inside}
    assert inside >= {mark.record.number for mark in picture.marks if mark.role != "searched"}


def test_one_diverged_trial_does_not_press_the_front_into_a_corner():
    cloud = [(0.9 - 0.001 * i, 0.4 - 0.0005 * i) for i in range(40)]

    picture = FrontPicture(make_results(*cloud, (0.1, 0.0)))

    assert picture.x.low > 80
    assert picture.outside == "1 weak trial lies outside the picture."


def test_exactly_one_mark_is_the_knee():
    results = make_search()

    knees = [mark.record.number for mark in FrontPicture(results).marks if mark.is_knee]

    assert knees == [results.knee.number]


def test_one_objective_is_shown_against_the_trials():
    results = make_results((0.9,), (0.8,), objectives=[{"metric": "val/clean_accuracy"}])

    picture = FrontPicture(results)

    assert (picture.x.label, picture.y.label) == ("trial", "clean accuracy, %")
    assert sorted((mark.x, mark.y) for mark in picture.marks) == [(0, 90), (1, 80)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "results",
    [make_search(), make_results(), make_results((0.9, 0.4))],
    ids=["search", "none", "one"],
)
def test_the_png_has_its_size_and_is_the_same_each_time(results, tmp_path):
    first = write_front_png(results, tmp_path / "front.png").read_bytes()

    second = write_front_png(results, tmp_path / "again.png").read_bytes()

    assert struct.unpack(">II", first[16:24]) == (1600, 1120)
    assert first == second
