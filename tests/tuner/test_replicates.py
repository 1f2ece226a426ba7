"""Several seeds of one config as one record: means and spreads."""

import dataclasses
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_records import make_record

from tuner.records import TrialState
from tuner.replicates import groups, merge_replicates

ACCURACY = st.floats(0, 1)


def replicate(number, of, *values, **more):
    return dataclasses.replace(make_record(number, *values, **more), repeats=of)


@settings(max_examples=40, deadline=None)
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
