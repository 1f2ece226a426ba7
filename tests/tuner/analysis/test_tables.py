"""Tables in a terminal of 80 columns: nothing is cut off."""

import io

import pytest
from make_records import make_config, make_record, make_search, make_study
from rich.console import Console

from tuner.analysis.narrow import left_out
from tuner.analysis.results import Results
from tuner.analysis.tables import front_table, studies_table
from tuner.records import SYMBOLS
from tuner.reporting.gains import gains_table, what_alignment_buys

SIZE = [
    {"metric": "val/clean_accuracy"},
    {"metric": "val/robust_accuracy"},
    {"metric": "student/parameters", "direction": "minimize"},
]


def printed(table, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue()


@pytest.fixture
def wide():
    """Two seeds per config, long names, and every weight: more than 80 columns."""
    weights = dict.fromkeys(SYMBOLS[:-1], 0.0789)
    config = make_config("small_wide_resnet10", **weights)
    records = [
        make_record(0, 0.98, 0.43, config=config),
        make_record(1, 0.96, 0.45, config=config, label="plain KD"),
    ]
    return Results(make_study(name="a-study-with-a-long-name", trials=2), records)


def letters(text):
    return "".join(text.split())


def test_the_front_loses_no_word_at_80_columns(wide):
    narrow, whole = printed(front_table(wide)), printed(front_table(wide), width=200)

    assert max(map(len, narrow.splitlines())) <= 80
    assert sorted(letters(narrow).replace("─", "")) == sorted(letters(whole).replace("─", ""))


def test_the_list_of_studies_has_their_names_whole(wide):
    assert "a-study-with-a-long-name" in printed(studies_table({wide.study.name: wide}))


def test_two_studies_of_one_name_are_told_apart_by_their_folders(wide):
    listed = printed(studies_table({"first": wide, "second": wide}))

    assert "first" in listed
    assert "second" in listed
    assert listed.count("(a-study-with-a-long-name)") == 2


def test_what_is_minimised_is_gained_by_having_less():
    records = [
        make_record(0, 0.9, 0.4, 1000.0),
        make_record(1, 0.9, 0.4, 4000.0, label="AT only"),
        make_record(2, 0.9, 0.4, 500.0, label="tiny"),
    ]
    results = Results(make_study(objectives=SIZE), records)

    sentence, table = what_alignment_buys(results), printed(gains_table(results))

    assert "Against AT only (trial 1) it gains 3 k less of parameters" in sentence
    assert "loses 500 more of parameters" in sentence
    assert "A plus is better, so it stands for less of parameters." in " ".join(table.split())
    assert "…" not in table


def test_a_narrow_terminal_goes_without_columns_and_says_so():
    shown = printed(front_table(make_search(), 60), width=60)

    knee = next(line for line in shown.splitlines() if "knee" in line)
    assert "36.4" in knee
    assert "Too narrow for size, τ, λ: tuner front --format csv has all." in " ".join(shown.split())
    assert "up to ±5.1 points;" in " ".join(shown.split())  # the caption is whole
    assert "λ" not in shown.splitlines()[2]


def test_a_narrow_list_of_studies_keeps_the_best_and_the_knee():
    listed = printed(studies_table({"digits": make_search()}, 60), width=60)

    words = listed.split()
    assert {"failed", "best", "98.3", "knee", "3"} <= set(words)
    assert "stopped" not in words


def test_what_fits_stays():
    columns = {"text": {"student"}, "optional": ["size", "alpha"]}
    rows = [["small_resnet6", "5.09 k", "0.5"]]

    assert left_out(["student", "size", "alpha"], rows, 23, **columns) == []
    assert left_out(["student", "size", "alpha"], rows, 22, **columns) == ["size"]
