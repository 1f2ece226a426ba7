"""Several seeds of one config as one record: means and spreads."""

import csv
import dataclasses
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_records import make_record, make_study

from tuner.analysis.replicates import groups, merge_replicates
from tuner.analysis.results import Results
from tuner.exporting.front import export_config, front_csv
from tuner.records import TrialState
from tuner.reporting.report import write_report

ACCURACY = st.floats(0, 1)


def replicate(number, of, *values, **more):
    return dataclasses.replace(make_record(number, *values, **more), repeats=of)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(ACCURACY, ACCURACY), min_size=2, max_size=5))
def test_objectives_are_means_and_spreads_those_of_a_sample(points):
    records = [make_record(4, *points[0])]
    records += [replicate(5 + i, 4, *point) for i, point in enumerate(points[1:])]

    (merged,) = merge_replicates(records)

    clean, robust = zip(*points, strict=True)
    assert (merged.number, merged.replicates) == (4, len(points))
    assert merged.values == pytest.approx(
        {
            "val/clean_accuracy": sum(clean) / len(clean),
            "val/robust_accuracy": sum(robust) / len(robust),
        }
    )
    assert merged.spread == pytest.approx(
        {
            "val/clean_accuracy": statistics.stdev(clean),
            "val/robust_accuracy": statistics.stdev(robust),
        },
        abs=1e-9,
    )


def test_a_single_trial_stays_as_it_is_and_has_no_spread():
    record = make_record(0, 0.9, 0.4)

    assert merge_replicates([record]) == [record]
    assert (record.spread, record.replicates) == ({}, 1)


def test_the_first_trial_leads_whatever_the_order_of_the_records():
    records = [replicate(3, 1, 0.7, 0.2), make_record(0, 0.5, 0.5), make_record(1, 0.9, 0.4)]

    merged = merge_replicates(records)

    assert [(record.number, record.replicates) for record in merged] == [(0, 1), (1, 2)]
    assert [[member.number for member in members] for members in groups(records).values()] == [
        [0],
        [1, 3],
    ]


def test_only_complete_trials_count():
    records = [
        make_record(0, 0.9, 0.4),
        replicate(1, 0, 0.1, 0.1, state=TrialState.running),
        replicate(2, 0, state=TrialState.failed, reason="diverged: nan"),
        replicate(3, 0, 0.7, 0.2),
    ]

    (merged,) = merge_replicates(records)

    assert merged.replicates == 2
    assert merged.values == pytest.approx({"val/clean_accuracy": 0.8, "val/robust_accuracy": 0.3})


def test_merging_twice_changes_nothing():
    once = merge_replicates([make_record(0, 0.9, 0.4), replicate(1, 0, 0.7, 0.2)])

    assert merge_replicates(once) == once


BOUND = {"constraints": [{"metric": "val/clean_accuracy", "at_least": 0.87}], "replicates": 2}


def test_constraints_are_held_by_the_mean_and_not_by_the_first_seed():
    records = [make_record(0, 0.9, 0.4), replicate(1, 0, 0.8, 0.4), make_record(2, 0.88, 0.1)]

    results = Results(make_study(**BOUND), records)

    assert [record.number for record in results.feasible] == [2]
    assert [record.number for record in results.front] == [2]


def test_the_last_report_of_a_config_holds_means_and_the_others_stay():
    one, two = make_record(0, 0.9, 0.4), replicate(1, 0, 0.8, 0.4)
    before = {"epoch": 11.0, "val/clean_accuracy": 0.1}
    alarm = {**two.metrics, "val/masking_alarm": 1.0}
    one = dataclasses.replace(one, reports=(before, *one.reports))
    two = dataclasses.replace(two, reports=(alarm,))

    (merged,) = merge_replicates([one, two])

    assert merged.reports[0] == before
    assert merged.metrics == pytest.approx({**one.metrics, "val/clean_accuracy": 0.85})


def test_a_config_counts_once_on_the_front_and_its_trials_one_by_one(tmp_path):
    records = [make_record(0, 0.9, 0.4), replicate(1, 0, 0.8, 0.6), make_record(2, 0.7, 0.1)]

    results = Results(make_study(trials=3, replicates=2), records)

    assert results.summary["trials/complete"] == 3
    assert results.summary["front/size"] == 1
    assert results.knee.values == pytest.approx(
        {"val/clean_accuracy": 0.85, "val/robust_accuracy": 0.5}
    )
    assert results.ranks == {0: 0, 2: 1}
    write_report(results, tmp_path / "report.html", facts={})
    assert "3 of 3" in (tmp_path / "report.html").read_text()


def test_gains_are_of_means_over_means():
    records = [
        make_record(0, 0.9, 0.4),
        replicate(1, 0, 0.8, 0.6),
        make_record(2, 0.7, 0.1, label="AT only"),
        replicate(3, 2, 0.7, 0.3, label="AT only"),
    ]

    (gain,) = Results(make_study(replicates=2), records).baseline_gain

    assert gain.baseline.number == 2
    assert gain.gains == pytest.approx({"val/clean_accuracy": 0.15, "val/robust_accuracy": 0.3})


def test_a_single_replicate_can_be_picked_with_its_own_seed_and_values(tmp_path):
    records = [make_record(0, 0.9, 0.4), replicate(1, 0, 0.8, 0.6)]
    results = Results(make_study(replicates=2), records)

    alone = export_config(results, "trial:1", tmp_path / "alone.yaml").read_text()
    config = export_config(results, "knee", tmp_path / "knee.yaml").read_text()

    assert "80.0 % clean accuracy, 60.0 % robust accuracy\n" in alone
    assert "85.0 % clean accuracy, 50.0 % robust accuracy, means of 2 seeds\n" in config


def test_nothing_beyond_the_constraints_is_offered_as_a_gain_without_loss():
    records = [
        make_record(0, 0.88, 0.3),
        make_record(1, 0.86, 0.9),
        make_record(2, 0.85, 0.2, label="AT only"),
    ]

    (gain,) = Results(make_study(**BOUND), records).baseline_gain

    assert gain.free["val/robust_accuracy"].number == 0


@pytest.mark.parametrize("order", [1, -1])
def test_a_front_on_which_seeds_are_still_missing_is_written_whole(order):
    values = [(0.9, 0.4), (0.8, 0.5)][::order]
    records = [make_record(0, *values[0]), make_record(1, *values[1]), replicate(2, 0, *values[0])]

    rows = list(csv.DictReader(front_csv(Results(make_study(replicates=2), records)).splitlines()))

    spreads = {row["trial"]: row["sd val/clean_accuracy"] for row in rows}
    assert spreads == {"0": "0.0", "1": ""}
