"""Programs beside the network that they were made from."""

import torch

from trainables.programs.agreement import BATCH, agreement, answers
from trainables.splits import Split

IMAGES = torch.arange(6, dtype=torch.float32).view(6, 1, 1, 1) / 5  # 0, 0.2, … 1
LABELS = torch.tensor([0, 0, 0, 1, 1, 1])
SPLIT = Split(IMAGES, LABELS)
MOVED = (IMAGES + 0.2).clamp(0, 1)


def threshold(at):
    """Class 1 above ``at``."""
    return lambda images: torch.stack([at - images.flatten(), images.flatten() - at], dim=1)


def said(classify):
    return answers(classify, IMAGES, MOVED)


def test_a_program_that_says_the_same_agrees_and_counts_what_is_right():
    found = agreement(said(threshold(0.5)), said(threshold(0.5)), SPLIT)

    assert found.holds
    assert (found.clean_correct, found.robust_correct) == (6, 5)  # 0.4 is moved to 0.6
    assert (found.clean_accuracy, found.robust_accuracy) == (1.0, 5 / 6)
    assert found.max_difference == 0


def test_a_rounding_error_is_reported_and_forgiven():
    found = agreement(said(threshold(0.5)), said(threshold(0.5 + 2**-10)), SPLIT)

    assert found.holds
    assert found.max_difference == 2**-10


def test_images_with_another_prediction_are_named_clean_or_attacked():
    found = agreement(said(threshold(0.5)), said(threshold(0.7)), SPLIT)

    assert not found.holds
    assert found.differing == (2, 3)  # 0.4, which is moved to 0.6, and 0.6 as it is


def test_an_answer_that_is_not_finite_agrees_with_nothing():
    broken = said(lambda images: torch.full((len(images), 2), torch.nan))

    found = agreement(broken, broken, SPLIT)

    assert found.differing == (0, 1, 2, 3, 4, 5)
    assert found.clean_correct == 0


def test_images_are_asked_for_in_small_batches():
    sizes = []
    images = torch.rand(BATCH + 1, 1, 1, 1)

    found = answers(lambda x: sizes.append(len(x)) or torch.zeros(len(x), 2), images, images)

    assert sizes == [BATCH, 1, BATCH, 1]
    assert found.clean.shape == (BATCH + 1, 2)
