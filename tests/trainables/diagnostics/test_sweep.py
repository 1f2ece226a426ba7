import pytest
import torch

from trainables.attacks import AttackConfig
from trainables.data import Split
from trainables.diagnostics.gaps import gaps
from trainables.diagnostics.sweep import attacked_at, gaps_over_epsilon
from trainables.evaluation import accuracy_under, clean_accuracy
from trainables.threat import ThreatModel

THREAT, ATTACK = ThreatModel(epsilon=0.1), AttackConfig(steps=10)


@pytest.fixture
def split(digits):
    return Split(digits.validation.images[:100], digits.validation.labels[:100])


def test_rows_over_epsilon_start_clean_and_lose_accuracy(trained, split):
    rows = gaps_over_epsilon(trained, split, THREAT, ATTACK, (0, 0.1, 0.3), seed=0)

    accuracies = [row.robust_accuracy for row in rows]
    assert [row.epsilon for row in rows] == [0, 0.1, 0.3]
    assert accuracies[0] == clean_accuracy(trained, split)
    assert accuracies[0] > accuracies[1] > accuracies[2]
    assert rows[0].gaps.covariance == rows[0].gaps.gram == 0
    assert 0 < rows[1].gaps.gram < rows[2].gaps.gram


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_row_is_what_its_radius_does(norm, trained, split):
    threat = ThreatModel(norm=norm, epsilon=0.5)

    (row,) = gaps_over_epsilon(trained, split, threat, ATTACK, (0.3,), seed=4, layer=-2)

    near = ThreatModel(norm=norm, epsilon=0.3)
    moved = attacked_at(0.3, trained, split, threat=near, attack=ATTACK, seed=4)
    length = (moved - split.images).flatten(1).norm(p=2 if norm == "l2" else torch.inf, dim=1)
    assert length.max().item() == pytest.approx(0.3, rel=1e-3)
    assert row.robust_accuracy == accuracy_under(trained, split, moved)
    assert row.gaps.scalars == gaps(trained, split.images, moved, layer=-2).scalars


def test_rows_do_not_depend_on_the_batch_size(trained, split):
    small, large = (
        gaps_over_epsilon(trained, split, THREAT, ATTACK, (0.1,), seed=0, batch_size=size)[0]
        for size in (7, 100)
    )

    assert small.gaps.gram == pytest.approx(large.gaps.gram, rel=1e-2)
    assert small.robust_accuracy == pytest.approx(large.robust_accuracy, abs=0.011)


@pytest.mark.parametrize(("epsilons", "said"), [((0, -0.1), "-0.1"), ((1.5,), "1.5"), ((), "none")])
def test_impossible_radii_are_one_sentence(epsilons, said, network, split):
    with pytest.raises(ValueError, match=rf"in \[0, 1\].*got {said}"):
        gaps_over_epsilon(network(), split, THREAT, ATTACK, epsilons, seed=0)


def test_one_image_has_no_gap_and_is_refused(network):
    one = Split(torch.rand(1, 1, 8, 8), torch.tensor([3]))

    with pytest.raises(ValueError, match="at least two"):
        gaps_over_epsilon(network(), one, THREAT, ATTACK, (0.1,), seed=0)
