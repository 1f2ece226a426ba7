import json

import pytest
from make_records import make_record
from make_verification import (
    EPSILON,
    IMAGES,
    OWN,
    STRONG,
    make_member,
    make_run,
    make_verification,
    study_of,
)

from tuner.analysis.results import Results
from tuner.verification.files import write_files
from tuner.verification.html import picture
from tuner.verification.measured import load_verification
from tuner.verification.statistics import of_difference
from tuner.verification.table import (
    caption,
    sentences,
    stale_sentence,
    verdict,
    verification_rows,
    verification_table,
)

POINTS = ((0.95, 0.30), (0.90, 0.50), (0.89, 0.48))


@pytest.fixture
def results():
    return study_of(*POINTS)


@pytest.fixture
def found(results):
    """Trial 2, a neighbour, is better on the test split than trial 1 of the front."""
    return make_verification(
        results,
        make_member(results, 0, (285, 60), (282, 66)),
        make_member(results, 1, (264, 120), (261, 120)),
        make_member(results, 2, (270, 129), (270, 126), role="neighbour"),
    )


def member(found, number):
    kept = found.member(number)
    assert kept is not None
    return kept


def test_the_front_is_that_of_the_means_on_the_test_split(found):
    on_front = [m.trial for m in found.measured if found.is_on_front(m)]

    assert on_front == [0, 2]
    assert [m.trial for m in found.beaten_by(member(found, 1))] == [2]
    assert found.results.front[1].values == pytest.approx(
        {"val/clean_accuracy": 0.9, "val/robust_accuracy": 127.5 / IMAGES}
    )


def test_a_member_beaten_within_the_intervals_says_so(found):
    assert verdict(found, member(found, 1)) == "beaten by 2 within noise"


def test_a_member_beaten_beyond_the_intervals_does_not(results):
    found = make_verification(
        results, make_member(results, 0, (285, 200)), make_member(results, 1, (150, 50))
    )

    assert verdict(found, member(found, 1)) == "beaten by 0, 1 of 2 seeds"


def test_masked_gradients_are_in_the_verdict(results):
    masked = make_member(results, 0, (285, 200), (285, 201), verdict="masked gradients: …")

    found = make_verification(results, masked)

    assert verdict(found, masked) == "knee, masked gradients in seed 0, 1"


def test_why_the_gates_do_not_believe_a_student_is_said(results):
    why = "masked gradients: gradients exist? No: 9 of 300 images have none"

    found = make_verification(
        results,
        make_member(results, 0, (285, 60), (282, 66)),
        make_member(results, 1, (264, 120), verdict=why),
    )

    assert sentences(found)[-2:] == [
        "Gates against masked gradients: 2 of 3 students are plausible.",
        f"trial 1 seed 0: {why}.",
    ]


def test_a_verification_without_gates_says_so(results):
    found = make_verification(results, make_member(results, 0, (285, 60), verdict=None))

    assert sentences(found)[-1] == "Masked gradients were not looked for."


def test_optimism_compares_the_same_attack_on_both_splits(found):
    lost = found.optimism([member(found, 1)])

    assert lost["val/clean_accuracy"].mean == pytest.approx(0.90 - 262.5 / IMAGES)
    assert lost["val/robust_accuracy"].mean == pytest.approx(0.50 - 130 / IMAGES)


def test_selection_bias_says_how_far_the_choice_of_images_alone_could_take_it(found):
    told = sentences(found)[1]

    low, high = of_difference(0.40, 360, (73 + 130) / 2 / IMAGES, IMAGES)
    assert told.startswith("Selection bias, validation minus test under the study's own attack, in")
    assert f"+6.2 ({100 * low:+.1f} to {100 * high:+.1f}) robust" in told


def test_without_a_number_of_validation_images_the_bias_has_no_interval(results):
    one = make_member(results, 0, (285, 60))
    unknown = {k: v for k, v in one.validation.items() if k != "val/count"}

    told = sentences(make_verification(results, one.model_copy(update={"validation": unknown})))[1]

    assert told.endswith("chosen (1 config) +0.0 clean, +6.7 robust.")


def test_what_an_attack_leaves_is_told_of_the_members_together(found):
    left = found.left_by_attack([member(found, 0), member(found, 1)])

    assert left == pytest.approx((63 + 120) / (63 + 120 + 2 * 10))


def test_where_nothing_was_robust_no_share_is_left(found):
    assert found.left_by_attack([]) is None


def test_who_fell_from_the_front_and_who_rose_is_said(found):
    assert sentences(found)[0] == (
        "1 of the 2 trials on the validation front stay; beaten now: 1; new on it: 2."
    )


def test_a_baseline_that_rose_to_the_front_is_said(results):
    found = make_verification(
        results,
        make_member(results, 0, (285, 60)),
        make_member(results, 2, (270, 129), role="baseline"),
    )

    assert sentences(found)[0] == ("1 of the 1 trials on the validation front stay; new on it: 2.")


def test_members_at_one_place_share_a_name_in_pictures(results):
    counts = {0: (285, 60), 1: (264, 120), 2: (285, 60)}

    found = make_verification(results, *(make_member(results, n, c) for n, c in counts.items()))

    assert found.names == {0: "0, 2", 1: "1"}
    assert picture(found).count(">0, 2</text>") == 1


def test_a_member_of_which_nothing_was_measured_is_told_and_counts_nowhere(results):
    lost = make_member(results, 1, failures={0: "diverged: train/loss was nan in epoch 2"})

    found = make_verification(results, make_member(results, 0, (285, 60)), lost)

    assert [m.trial for m in found.measured] == [0]
    assert sentences(found)[-1] == (
        "trial 1 seed 0 could not be verified: diverged: train/loss was nan in epoch 2"
    )
    assert verification_rows(found)[1]["test/clean_accuracy"] is None


def test_a_verification_that_measured_nothing_says_no_more_than_that(results):
    failures = {0: "out of memory"}
    lost = [make_member(results, number, failures=failures) for number in (0, 1)]

    found = make_verification(results, *lost)

    assert sentences(found) == [
        "Nothing could be measured on the test split.",
        "trial 0 seed 0 could not be verified: out of memory",
        "trial 1 seed 0 could not be verified: out of memory",
    ]
    assert stale_sentence(found, results) == ""


def test_an_attack_that_is_weaker_than_the_studys_own_is_not_said_to_break_more(results):
    run = make_run(0, 270, 100)
    own = [m.model_copy(update={"correct": 70}) if m.key == OWN else m for m in run.measured]
    member = make_member(results, 0).model_copy(
        update={"runs": (run.model_copy(update={"measured": tuple(own)}),)}
    )

    told = sentences(make_verification(results, member))[2]

    assert told == (
        "Of what that attack leaves on the test split, AutoAttack (standard) leaves 143 % "
        "(chosen); more than all: it is the weaker attack, do not trust it."
    )


def test_rows_hold_means_spreads_and_intervals_by_radius(found):
    first = verification_rows(found)[0]

    assert first["test/autoattack_accuracy"] == pytest.approx(63 / IMAGES)
    assert first["sd test/autoattack_accuracy"] == pytest.approx(18**0.5 / IMAGES)
    low, high = member(found, 0).estimate(STRONG, EPSILON).interval
    assert first["low test/autoattack_accuracy"] == low
    assert first["high test/autoattack_accuracy"] == high
    assert "test/autoattack_accuracy_at_0.075" in first
    assert (first["on_front"], first["seeds"], first["val/robust_accuracy"]) == (True, 2, 0.30)


def test_constraints_hold_for_the_verified_numbers():
    bounds = [{"metric": "val/robust_accuracy", "at_least": 0.25}]
    bounded = study_of(*POINTS, constraints=bounds)

    found = make_verification(
        bounded, make_member(bounded, 0, (285, 60)), make_member(bounded, 1, (264, 120))
    )

    assert [record.number for record in found.results.front] == [1]
    assert sentences(found)[0].endswith("stay; beyond the constraints now: 0.")
    assert "held by 1 of 2 complete trials" in caption(found)
    assert verdict(found, member(found, 0)) == "breaks the constraints, 1 of 2 seeds"


def test_what_is_written_is_read_again(found, tmp_path):
    write_files(found, tmp_path / "verification")

    again = load_verification(tmp_path)

    assert again == found
    content = json.loads((tmp_path / "verification" / "verification.json").read_text())
    assert content["table"] == json.loads(json.dumps(verification_rows(found)))
    names = {path.name for path in (tmp_path / "verification").iterdir()}
    assert names == {"verification.json", "verification.csv", "verification.png"}


def test_a_study_that_was_not_verified_has_none(tmp_path):
    assert load_verification(tmp_path) is None


def test_a_broken_file_is_one_sentence(tmp_path):
    (tmp_path / "verification").mkdir()
    (tmp_path / "verification" / "verification.json").write_text('{"members": 3}')

    with pytest.raises(ValueError, match="is no result of this version's tuner verify"):
        load_verification(tmp_path)


def test_a_front_that_has_grown_since_is_stale(found, results):
    grown = Results(results.study, [*results.records, make_record(7, 0.99, 0.60)])

    assert stale_sentence(found, results) == ""
    assert stale_sentence(found, grown).startswith("trial 7 came onto the front after")


def test_the_table_fits_a_narrow_terminal_and_names_its_conditions(found):
    from rich.console import Console

    console = Console(width=80, record=True)
    console.print(verification_table(found))

    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "on 300 test images" in text
    assert "AutoAttack (standard), Linf epsilon 0.15" in " ".join(text.split())
