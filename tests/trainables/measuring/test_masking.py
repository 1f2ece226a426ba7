import pytest

from trainables.measuring.masking import (
    Gate,
    autoattack_is_stronger,
    black_box_is_weaker,
    everything_falls,
    gradients_exist,
    logit_scale,
    losses_agree,
    monotone_in_epsilon,
    monotone_in_steps,
    tolerance,
    verdict,
)
from trainables.measuring.robustness import Accuracy


def of(correct, total=1000):
    return Accuracy(correct, total)


@pytest.mark.parametrize(
    ("share", "total", "images"), [(0.002, 100, 1), (0.002, 1000, 2), (0.05, 300, 15)]
)
def test_a_tolerance_is_a_share_but_at_least_one_image(share, total, images):
    assert tolerance(share, total) == images


# each gate at its edge: the last value that passes, and the next one
@pytest.mark.parametrize(("correct", "passed"), [(502, True), (503, False)])
def test_accuracy_may_not_rise_with_epsilon(correct, passed):
    gate = monotone_in_epsilon({0.2: of(correct), 0.1: of(500), 0.05: of(900)})

    assert gate.passed == passed
    assert "90.0 % at 0.05, 50.0 % at 0.1" in gate.measured


@pytest.mark.parametrize(("correct", "passed"), [(502, True), (503, False)])
def test_accuracy_may_not_rise_with_steps(correct, passed):
    gate = monotone_in_steps([("FGSM", of(600)), ("PGD-20", of(500)), ("PGD-100", of(correct))])

    assert gate.passed == passed


@pytest.mark.parametrize(("correct", "passed"), [(10, True), (11, False)])
def test_hardly_anything_may_stand_at_epsilon_one(correct, passed):
    assert everything_falls(of(correct)).passed == passed


@pytest.mark.parametrize(("correct", "passed"), [(10, True), (11, False)])
def test_hardly_any_gradient_may_be_zero(correct, passed):
    assert gradients_exist(of(correct)).passed == passed


@pytest.mark.parametrize(("correct", "passed"), [(550, True), (551, False)])
def test_cross_entropy_may_not_be_much_weaker_than_the_margin(correct, passed):
    assert losses_agree(of(correct), of(500)).passed == passed


@pytest.mark.parametrize(
    ("smaller", "larger", "passed"), [(480, 500, True), (479, 500, False), (490, 100, True)]
)
def test_smaller_logits_may_not_make_cross_entropy_much_stronger(smaller, larger, passed):
    cross_entropy = {0.125: of(smaller), 1.0: of(500), 8.0: of(larger)}

    gate = logit_scale(cross_entropy, {0.125: of(450), 1.0: of(450), 8.0: of(450)})

    assert gate.passed == passed


@pytest.mark.parametrize(("other", "passed"), [(451, True), (452, False), (448, False)])
def test_the_margin_may_not_notice_the_scale(other, passed):
    cross_entropy = {0.125: of(500), 1.0: of(500)}

    gate = logit_scale(cross_entropy, {0.125: of(other), 1.0: of(450)})

    assert gate.passed == passed


@pytest.mark.parametrize(("correct", "passed"), [(498, True), (497, False)])
def test_the_black_box_may_not_find_more_than_a_fifth_of_a_percent(correct, passed):
    assert black_box_is_weaker(of(500), of(correct), queries=1000).passed == passed


@pytest.mark.parametrize(("correct", "passed"), [(502, True), (503, False)])
def test_autoattack_may_not_be_weaker_than_pgd(correct, passed):
    assert autoattack_is_stronger(of(correct), of(500), "Linf 8/255").passed == passed


def test_without_a_failed_gate_the_verdict_is_plausible():
    assert verdict([Gate("a", True, "1"), Gate("b", True, "2")]) == "plausible"


def test_the_verdict_names_what_failed_with_its_numbers():
    gates = [Gate("a holds", True, "1"), Gate("b holds", False, "it is 2")]

    assert verdict(gates) == "masked gradients: b holds? No: it is 2"
