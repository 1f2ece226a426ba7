"""Tables beside the front: only what differs, and every trial that did not complete."""

import csv
import dataclasses

from make_records import KD, make_config, make_record, make_results, make_study

from tuner.analysis.results import Results
from tuner.analysis.study_tables import differences_table, failures_table, front_plain_table
from tuner.records import TrialState


def study(*records):
    return Results(make_study(), list(records))


def test_only_settings_that_differ_among_the_front_are_listed():
    results = study(
        make_record(0, 0.9, 0.4, config=make_config(beta=0.5, gamma=1.0)),
        make_record(1, 0.8, 0.5, config=make_config(beta=2.0, gamma=1.0)),
        make_record(2, 0.7, 0.3, config=make_config(beta=3.0)),
    )

    table = differences_table(results)

    assert table.columns == ["setting", "trial 0", "trial 1"]
    assert dict((row[0], row[1:]) for row in table.rows) == {
        "val/clean_accuracy": [0.9, 0.8],
        "val/robust_accuracy": [0.4, 0.5],
        "alignments/covariance": [0.5, 2.0],
    }


def test_a_term_that_a_member_lacks_is_off_and_its_settings_are_not_repeated():
    results = study(
        make_record(0, 0.9, 0.4, config=make_config(beta=0.5)),
        make_record(1, 0.8, 0.5, config=make_config(method=KD)),
    )

    rows = {row[0]: row[1:] for row in differences_table(results).rows}

    assert rows["alignments/covariance"] == [0.5, "off"]
    assert rows["method/name"] == ["adversarial_training", "kd"]
    assert not [name for name in rows if name.startswith("alignments/covariance/")]


def test_failures_come_before_stops_with_their_cause_apart_from_the_reason():
    stopped = make_record(0, 0.5, 0.2, state=TrialState.stopped, reason="rank 5 of 9 at rung 4")
    failed = make_record(3, state=TrialState.failed, reason="diverged: loss is nan in epoch 2")
    complete = make_record(4, 0.9, 0.4)

    rows = failures_table(study(stopped, failed, complete)).rows

    assert [row[:4] for row in rows] == [
        [3, "failed", "diverged", "loss is nan in epoch 2"],
        [0, "stopped", "early stopping", "rank 5 of 9 at rung 4"],
    ]


def test_a_reason_with_commas_and_quotes_survives_as_csv():
    reason = 'raised: ValueError: got "a", "b"\nand more'
    failed = make_record(0, state=TrialState.failed, reason=reason)

    text = failures_table(study(failed)).as_csv()

    (row,) = csv.DictReader(text.splitlines(keepends=True))
    assert row["reason"] == 'ValueError: got "a", "b"\nand more'


def test_an_empty_study_has_empty_tables():
    results = study(dataclasses.replace(make_record(0), state=TrialState.running, values={}))

    assert front_plain_table(results).as_json() == {"columns": [], "data": []}
    assert differences_table(results).rows == []
    assert failures_table(results).rows == []


def test_the_front_begins_with_what_a_narrow_page_has_room_for():
    table = front_plain_table(make_results((0.9, 0.4)))

    assert table.columns[:4] == ["trial", "val/clean_accuracy", "val/robust_accuracy", "student"]
