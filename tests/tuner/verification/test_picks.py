import dataclasses

import pytest
from make_records import make_record
from make_verification import make_member, make_verification, study_of

from tuner.analysis.results import Results
from tuner.verification.picks import choose, choose_front

POINTS = ((0.95, 0.30), (0.90, 0.50), (0.89, 0.48), (0.60, 0.10))


@pytest.fixture
def results():
    return study_of(*POINTS)


@pytest.fixture
def found(results):
    """On the test split trial 2 is the most robust, trial 1 is by validation."""
    return make_verification(
        results,
        make_member(results, 0, (285, 60), (282, 66)),
        make_member(results, 1, (264, 120), (261, 120)),
        make_member(results, 2, (270, 129), (270, 126), role="neighbour"),
    )


def test_a_pick_goes_by_verified_numbers_where_there_are_any(results, found):
    chosen = choose(results, "max-robust", found)

    assert (chosen.record.number, chosen.on) == (2, "verified")
    assert chosen.record.values["val/robust_accuracy"] == 0.48
    assert chosen.sentence == (
        "on verified numbers: 90.0 % clean, 42.5 % under AutoAttack (standard) at linf epsilon "
        "0.15, 300 test images, 2 seeds"
    )


def test_a_bound_is_on_the_verified_attack(results, found):
    assert choose(results, "robust>=0.42", found).record.number == 2
    with pytest.raises(ValueError, match=r"on verified numbers \(AutoAttack.*the best is 0.4250"):
        choose(results, "robust>=0.45", found)


@pytest.mark.parametrize(("verification", "on"), [(None, None), ("there", "validation")])
def test_validation_numbers_serve_where_asked_for_or_nothing_else_is_there(
    results, found, verification, on
):
    chosen = choose(results, "max-robust", found if verification else None, on)

    assert (chosen.record.number, chosen.on) == (1, "validation")
    assert "margin PGD-20" in chosen.sentence
    assert "360 images" in chosen.sentence


def test_a_trial_that_was_not_verified_is_picked_by_its_number_all_the_same(results, found):
    assert choose(results, "trial:3", found).on == "validation"
    assert choose(results, "trial:1", found).on == "verified"


def test_verified_numbers_that_do_not_exist_are_refused(results):
    with pytest.raises(ValueError, match="has no verified numbers; make them with: tuner verify"):
        choose(results, "knee", None, "verified")


def test_an_unverified_trial_is_refused_where_verified_numbers_are_asked_for(results, found):
    with pytest.raises(ValueError, match="trial 3 has no verified numbers, as it was not"):
        choose(results, "trial:3", found, "verified")


def test_a_pick_from_a_stale_verification_says_what_is_missing(results, found):
    grown = Results(results.study, [*results.records, make_record(7, 0.99, 0.60)])

    sentence = choose(grown, "knee", found).sentence

    assert "trial 7 came onto the front after the verification" in sentence


def test_a_pick_among_replicates_says_that_its_numbers_are_means(results):
    merged = dataclasses.replace(results.records[1], number=9, repeats=1)

    chosen = choose(Results(results.study, [*results.records, merged]), "trial:1", None)

    assert "50.0 % robust accuracy, means of 2 seeds; margin PGD-20" in chosen.sentence


def test_a_pick_beyond_the_constraints_says_so():
    bounds = [{"metric": "val/robust_accuracy", "at_least": 0.6}]
    bounded = study_of(*POINTS, constraints=bounds)
    verified = make_verification(bounded, make_member(bounded, 1, (264, 120)))

    for found in (None, verified):
        sentence = choose(bounded, "knee", found).sentence
        assert sentence.endswith("; beyond the study's constraint val/robust_accuracy >= 0.6")


def test_a_pick_with_masked_gradients_says_so(results):
    masked = make_member(results, 1, (264, 120), (261, 120), verdict="attack too weak")

    chosen = choose(results, "knee", make_verification(results, masked))

    assert "2 seeds; masked gradients in seed 0, 1" in chosen.sentence


def test_the_front_is_that_on_verified_numbers_where_there_are_any(results, found):
    members, used = choose_front(results, found)

    assert ([record.number for record in members], used) == ([0, 2], "verified")
    assert choose_front(results, found, "validation") == (results.front, "validation")
    assert choose_front(results, None) == (results.front, "validation")
    with pytest.raises(ValueError, match="has no verified numbers"):
        choose_front(results, None, "verified")
