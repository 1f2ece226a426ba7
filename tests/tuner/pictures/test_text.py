import pytest
from make_records import make_record, make_results, make_search, make_study

from tuner.analysis.results import Results
from tuner.pictures.front import FrontPicture
from tuner.pictures.text import text_picture


def drawn(results, width=40, height=16):
    return [line.plain for line in text_picture(FrontPicture(results), width, height)]


@pytest.mark.parametrize("size", [(20, 8), (40, 16), (100, 40)])
@pytest.mark.parametrize("results", [make_search(), make_results((0.9, 0.4))])
def test_a_picture_keeps_to_its_size(results, size):
    width, height = size

    lines = drawn(results, width, height)

    assert len(lines) == height
    assert max(map(len, lines)) <= width


def test_both_axes_are_named_and_have_numbers():
    lines = drawn(make_search())

    assert lines[0] == "robust accuracy, %"
    assert lines[-2].strip() == "clean accuracy, %"
    assert any(line.startswith("40┤") for line in lines)
    assert {"85", "90", "95"} <= set(lines[-3].split())


def test_front_knee_baseline_and_others_have_signs_of_their_own():
    records = [
        make_record(0, 0.95, 0.30),
        make_record(1, 0.93, 0.45),
        make_record(2, 0.80, 0.47),
        make_record(3, 0.85, 0.35),
        make_record(4, 0.88, 0.40, label="AT only"),
    ]

    picture = "".join(drawn(Results(make_study(), records))[:-1])

    assert {sign: picture.count(sign) for sign in "●◆○·"} == {"●": 2, "◆": 1, "○": 1, "·": 1}


def test_a_higher_value_stands_higher_and_a_larger_one_further_right():
    lines = drawn(make_results((0.9, 0.4), (0.8, 0.5)))

    places = [
        (row, line.index(s)) for row, line in enumerate(lines[:-1]) for s in "●◆" if s in line
    ]
    (upper, left), (lower, right) = places
    assert upper < lower
    assert left < right


def test_the_border_of_the_front_is_drawn_in_braille():
    lines = drawn(make_results((0.9, 0.4), (0.8, 0.5)))

    assert any("\u2801" <= sign <= "\u28ff" for line in lines for sign in line)


def test_one_objective_is_drawn_against_the_trials():
    results = make_results((0.9,), (0.8,), objectives=[{"metric": "val/clean_accuracy"}])

    lines = drawn(results)

    assert (lines[0], lines[-2].strip()) == ("clean accuracy, %", "trial")
