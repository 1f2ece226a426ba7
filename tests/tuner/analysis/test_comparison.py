import json
from dataclasses import replace

import numpy as np
import pytest
from make_records import IMAGES, make_config, make_record, make_results, make_search, make_study

from tuner.analysis.bootstrap import Sample, over_images, over_trials
from tuner.analysis.comparing import as_json, comparison_table
from tuner.analysis.comparison import Comparison, Contender, parts
from tuner.analysis.results import Results
from tuner.pictures.comparison import comparison_png

STRONGER = {**make_config()["validation"]["attack"], "steps": 50}
CORNER = np.zeros(2)
TIMES = {"seed": 0, "times": 500}


def sample(*points, images=IMAGES):
    losses = -np.array(points, dtype=float)
    return Sample(losses, np.full(len(points), float(images)), np.ones(2))


def contenders(*results):
    return [Contender(f"study {i}", one) for i, one in enumerate(results)]


def with_config(results, **changes):
    """Every trial with another part of its config."""
    records = [replace(r, config={**r.config, **changes}) for r in results.records]
    return Results(results.study, records)


def test_one_trial_leaves_nothing_to_resample():
    low, high = over_trials(sample((0.9, 0.5)), CORNER, **TIMES)

    assert low == high == pytest.approx(0.45)


def test_resampled_trials_never_dominate_more_than_all_of_them():
    points = [(0.9, 0.2), (0.8, 0.4), (0.5, 0.5)]

    low, high = over_trials(sample(*points), CORNER, **TIMES)

    whole = 0.9 * 0.2 + 0.8 * 0.2 + 0.5 * 0.1
    assert 0.18 <= low < high <= whole + 1e-12


def test_the_noise_of_one_trial_is_that_of_a_product_of_two_shares():
    clean, robust, n = 0.9, 0.5, 400

    low, high = over_images(sample((clean, robust), images=n), CORNER, seed=0, times=4000)

    deviation = ((robust**2 * clean * (1 - clean) + clean**2 * robust * (1 - robust)) / n) ** 0.5
    assert (low + high) / 2 == pytest.approx(clean * robust, abs=0.1 * deviation)
    assert (high - low) / 2 == pytest.approx(1.96 * deviation, rel=0.06)


def test_a_front_of_many_equal_trials_was_lucky_and_lies_above_its_interval():
    same = [(0.9, 0.5)] * 30

    _, high = over_images(sample(*same), CORNER, **TIMES)

    assert high < 0.45


def test_more_images_leave_less_doubt():
    widths = [
        np.ptp(over_images(sample((0.9, 0.5), images=n), CORNER, **TIMES)) for n in (100, 10_000)
    ]

    assert widths[0] == pytest.approx(10 * widths[1], rel=0.2)


def test_hypervolumes_are_measured_from_one_corner():
    objectives = [
        {"metric": "val/clean_accuracy"},
        {"metric": "student/parameters", "direction": "minimize"},
    ]
    names = tuple(o["metric"] for o in objectives)
    study = make_study(objectives=objectives)
    small, large = (
        Results(study, [make_record(0, 0.9, parameters, metrics=names)])
        for parameters in (1000.0, 5000.0)
    )

    rows = Comparison(contenders(small, large)).rows

    assert [row.hypervolume for row in rows] == pytest.approx([0.9 * 4000, 0.0])


def test_who_is_beaten_by_nobody_is_said_over_all_fronts():
    one, other = make_results((0.9, 0.4), (0.5, 0.5)), make_results((0.95, 0.45), (0.4, 0.6))

    rows = {row.contender.name: row.on_front for row in Comparison(contenders(one, other)).rows}

    assert rows == {"study 0": (1,), "study 1": (0, 1)}


def test_replicates_count_as_one_config():
    twice = [make_record(0, 0.9, 0.4), replace(make_record(1, 0.8, 0.4), repeats=0)]
    results = Results(make_study(replicates=2), twice)

    row, *_ = Comparison(contenders(results, results)).rows

    assert len(row.contender.results.complete) == 1
    assert row.hypervolume == pytest.approx(0.85 * 0.4)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"threat": {"norm": "linf", "epsilon": 0.3}}, "threat/epsilon is 0.15 in the one and 0.3"),
        ({"data": {"name": "digits", "classes": 10, "split_seed": 7}}, "data/split_seed is 0"),
        ({"validation": {"attack": STRONGER}}, "validation/attack/steps is 20"),
    ],
)
def test_what_was_measured_differently_is_refused(changes, key):
    one, other = make_results((0.9, 0.4)), with_config(make_results((0.9, 0.4)), **changes)

    with pytest.raises(ValueError, match="were not measured in the same way") as caught:
        Comparison(contenders(one, other))

    assert key in str(caught.value)


def test_other_objectives_are_refused():
    one, other = (
        make_results((0.9,), objectives=[{"metric": "val/clean_accuracy"}]),
        make_results((0.9, 0.4)),
    )

    with pytest.raises(ValueError, match=r"objectives is .* in the one and"):
        Comparison(contenders(one, other))


def test_settings_of_training_alone_do_not_matter():
    one = make_results((0.9, 0.4))
    data = {**one.records[0].config["data"], "batch_size": 7, "flip": True}

    assert len(Comparison(contenders(one, with_config(one, data=data))).rows) == 2


def test_a_study_without_a_complete_trial_has_no_front_to_compare():
    with pytest.raises(ValueError, match="study 1 has no complete trial yet"):
        Comparison(contenders(make_results((0.9, 0.4)), make_results()))


def test_a_study_falls_into_its_students_teachers_and_methods():
    names = {
        by: [c.name for c in parts(make_search(), by)] for by in ("student", "teacher", "method")
    }

    assert names == {
        "student": ["small_resnet6", "small_resnet8"],
        "teacher": ["no teacher", "wide"],
        "method": ["adversarial_training", "kd"],
    }


def test_a_study_of_one_student_cannot_be_split_by_it():
    with pytest.raises(ValueError, match=r"fewer than two students \(small_resnet8\)"):
        parts(make_results((0.9, 0.4)), "student")


def test_the_same_seed_gives_the_same_intervals_and_picture():
    first, second = (Comparison(parts(make_search(), "student")) for _ in range(2))

    assert as_json(first) == as_json(second)
    assert comparison_png(first, "fronts") == comparison_png(second, "fronts")


def test_the_json_says_what_the_intervals_cover():
    found = json.loads(json.dumps(as_json(Comparison(parts(make_search(), "student")))))

    assert "Neither says what another search would find" in found["intervals"]["cover"]
    assert found["attack"] == "margin PGD-20, step 0.25 epsilon, Linf epsilon 0.15"
    assert {front["name"] for front in found["fronts"]} == {"small_resnet6", "small_resnet8"}


def test_where_the_number_of_images_is_unknown_there_is_no_interval_over_images():
    results = Results(make_study(), [make_record(0, 0.9, 0.4, images=None)])

    comparison = Comparison(contenders(results, results))

    assert [row.over_images for row in comparison.rows] == [None, None]
    assert comparison_table(comparison).columns[-1]._cells == ["-", "-"]


def test_more_fronts_than_colours_are_refused():
    results = [make_results((0.9, 0.4))] * 9

    with pytest.raises(ValueError, match="at most 8 fronts"):
        comparison_png(Comparison(contenders(*results)), "fronts")
