import io

import pytest
from make_records import make_search
from rich.console import Console

from tuner.analysis.importance_view import bar, importance_table, ordered

FOUND = {
    "val/clean_accuracy": {"alignments/logits/weight": 0.6, "student/architecture": 0.4},
    "val/robust_accuracy": {"student/architecture": 0.9, "alignments/logits/weight": 0.1},
}


@pytest.mark.parametrize(
    ("share", "drawn"), [(0.0, ""), (1.0, "████"), (0.5, "██"), (0.25 / 8, "▏"), (0.875, "███▌")]
)
def test_a_bar_is_as_long_as_its_share_to_an_eighth_of_a_column(share, drawn):
    assert bar(share, 4) == drawn


def test_what_matters_most_for_any_objective_comes_first():
    assert ordered(FOUND) == ["student/architecture", "alignments/logits/weight"]


def test_the_table_fits_80_columns_and_says_of_how_many_trials():
    console = Console(width=80, record=True, file=io.StringIO())

    console.print(importance_table(make_search(), FOUND, "fanova"))

    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert " 90 % ██████████████▍" in text
    assert "Of 42 searched trials" in " ".join(text.split())
