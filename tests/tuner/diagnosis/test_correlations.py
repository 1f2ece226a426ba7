import dataclasses
import json

import pytest
from make_records import make_record, make_results, make_study
from rich.console import Console

from tuner.analysis.results import Results
from tuner.diagnosis.correlations import (
    correlation_lines,
    correlation_png,
    correlation_table,
    gaps_and_robustness,
)
from tuner.exporting.front import write_front
from tuner.pictures.gaps import gap_pictures
from tuner.records import TrialState

ROBUST = [0.5, 0.4, 0.3, 0.2]


def with_gaps(record, **gaps):
    """The record as if its last report held these gaps, named without ``val/``."""
    (report,) = record.reports
    changed = {**report, **{f"val/{name}": value for name, value in gaps.items()}}
    return dataclasses.replace(record, reports=(changed,))


@pytest.fixture
def results():
    """Robust accuracy falls by 10 points for each 0.1 of variance gap; one trial has a Gram gap."""
    records = [
        with_gaps(make_record(i, 0.9, robust), variance_gap=0.1 * i)
        for i, robust in enumerate(ROBUST)
    ]
    records[1] = with_gaps(records[1], gram_gap=0.5)
    failed = make_record(4, state=TrialState.failed)
    return Results(make_study(), [*records, failed])


def test_the_correlation_over_trials_is_that_of_their_last_reports(results):
    variance, *_ = gaps_and_robustness(results)

    assert variance.gaps == pytest.approx([0, 0.1, 0.2, 0.3])
    assert variance.robust == ROBUST
    assert variance.found.startswith("r = -1.00")
    assert variance.missing == []


def test_trials_that_lack_a_gap_are_named_and_failed_ones_are_not(results):
    lines = correlation_lines(gaps_and_robustness(results))

    assert lines[0].startswith("robust accuracy against variance gap: r = -1.00")
    assert any(line.startswith("gram gap is missing in trials 0, 2, 3;") for line in lines)
    assert any("got 1" in line for line in lines if "against gram gap" in line)


def test_of_many_trials_that_lack_a_gap_the_first_are_named():
    results = make_results(*[(0.9, 0.4)] * 20)

    lines = correlation_lines(gaps_and_robustness(results))

    assert "missing in trials 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more;" in lines[0]


def test_the_table_lists_the_most_robust_first_and_marks_what_is_missing(results):
    console = Console(width=120, record=True)

    console.print(correlation_table(results, gaps_and_robustness(results)))

    lines = [line.split() for line in console.export_text().splitlines()]
    numbers = [line[0] for line in lines if line and line[0] in "0123"]
    assert numbers == ["0", "1", "2", "3"]
    assert [line[-1] for line in lines if line and line[0] in "0123"] == ["-", "0.5", "-", "-"]


def test_the_picture_is_drawn_and_the_same_each_time(results):
    rows = gaps_and_robustness(results)

    first, again = correlation_png(results, rows), correlation_png(results, rows)

    assert first.startswith(b"\x89PNG")
    assert first == again


def test_a_study_without_any_gap_has_no_picture():
    results = make_results((0.9, 0.4))

    with pytest.raises(ValueError, match="no complete trial with a gap"):
        correlation_png(results, gaps_and_robustness(results))


def test_rows_are_json(results):
    content = json.loads(json.dumps([row.as_json() for row in gaps_and_robustness(results)]))

    assert content[0]["points"][1] == {"trial": 1, "gap": 0.1, "robust_accuracy": 0.4}
    assert content[2]["missing"] == [0, 2, 3]


@pytest.mark.slow
def test_the_picture_is_among_the_files_of_the_front_from_three_trials_on(results, tmp_path):
    few = Results(results.study, results.records[:2])

    names = [{path.name for path in write_front(r, tmp_path)} for r in (few, results)]

    assert "correlation.png" not in names[0]
    assert "correlation.png" in names[1]


def test_the_report_shows_a_dot_per_trial_and_r(results):
    section = gap_pictures(results)

    assert section.count("<g class=") == 4
    assert "robust accuracy, %, against variance gap: r = -1.00" in section
    assert "gram" not in section


def test_the_report_of_a_study_without_gaps_has_no_such_section():
    assert gap_pictures(make_results((0.9, 0.4))) == ""
