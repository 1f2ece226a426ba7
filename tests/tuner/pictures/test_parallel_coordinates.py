"""Parallel coordinates: a line per searched trial, where its values are."""

import dataclasses
import re

import pytest
from make_records import make_record, make_study

from tuner.analysis.results import Results
from tuner.pictures.parallel_coordinates import OFF, OFF_SHARE, Dimension, dimensions, parallel_html
from tuner.records import TrialState
from tuner.tracking.run_links import RunLinks


def searched(number, clean, robust, **params):
    named = {name.replace("__", "/"): value for name, value in params.items()}
    return dataclasses.replace(make_record(number, clean, robust), params=named)


def study():
    return Results(
        make_study(),
        [
            searched(0, 0.9, 0.4, alignments__gram=True, alignments__gram__weight=0.1, epochs=8),
            searched(1, 0.8, 0.5, alignments__gram=True, alignments__gram__weight=10.0, epochs=8),
            searched(2, 0.7, 0.3, alignments__gram=False, epochs=8),
            make_record(3, 0.6, 0.2, label="AT only"),
        ],
    )


def test_numbers_that_span_a_factor_of_ten_lie_by_their_logarithm():
    axis = Dimension("weight", [0.1, 1.0, 10.0])

    assert [axis.share(value) for value in axis.values] == pytest.approx([0, 0.5, 1])


def test_numbers_that_do_not_lie_by_their_difference():
    axis = Dimension("temperature", [2.0, 3.0, 6.0])

    assert [axis.share(value) for value in axis.values] == pytest.approx([0, 0.25, 1])


def test_a_parameter_that_is_off_lies_at_the_foot_below_all_numbers():
    axis = Dimension("weight", [OFF, 1.0, 2.0])

    assert [axis.share(value) for value in axis.values] == pytest.approx([0, OFF_SHARE, 1])
    assert axis.ticks()[OFF] == 0


def test_only_parameters_that_vary_have_an_axis_and_a_switch_with_a_weight_has_none():
    names = [column.name for column in dimensions(study())]

    assert names == ["gram weight", "clean accuracy, %", "robust accuracy, %"]


def test_a_line_per_searched_trial_the_front_apart_and_drawn_last():
    page = parallel_html(study())

    lines = re.findall(r'<g class="mark line (\w+)"[^>]*data-trial="(\d+)"', page)
    assert lines == [("other", "2"), ("front", "0"), ("front", "1")]


def test_names_from_a_study_cannot_leave_the_text():
    records = [
        dataclasses.replace(searched(n, 0.9, 0.4, kind=kind), label="searched")
        for n, kind in enumerate(["<script>alert(1)</script>", "b"])
    ]

    page = parallel_html(Results(make_study(), records))

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_without_searched_trials_the_page_says_so():
    running = make_record(0, state=TrialState.running)

    page = parallel_html(Results(make_study(), [running]), RunLinks({}))

    assert "No searched trial is complete yet." in page
    assert "<svg" not in page
