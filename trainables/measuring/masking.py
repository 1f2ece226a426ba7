"""Does a network resist, or does it only blind the attack? The gates that tell the two apart.

After Athalye et al. (2018) and Carlini et al. (2019): more budget must not help the network, an
attack without gradients must not beat one with them, and nothing may hang on the logits' scale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from trainables.measuring.robustness import Accuracy
from trainables.radii import radius

SQUARE_GAP = 0.002
"""Share of images that a black box may find beyond the white box; AutoAttack's own warning."""

ZERO_GRADIENTS = 0.01
"""Share of images that may have no gradient at all."""

SCALE_GAIN = 0.02
"""Accuracy that cross-entropy PGD may take in addition when the logits are made smaller."""

LOSS_GAP = 0.05
"""Accuracy by which cross-entropy PGD may be weaker than margin PGD."""

EVERYTHING = 0.01
"""Accuracy that may remain where any image at all is allowed."""


@dataclass(frozen=True)
class Gate:
    """One check.

    Attributes:
        name: what must hold.
        passed: whether it does.
        measured: the numbers, in one sentence.
    """

    name: str
    passed: bool
    measured: str


def tolerance(share: float, total: int) -> int:
    """Images by which a comparison may fail: the share given, but at least one image.

    One image turns by the rounding of a sum or by the luck of a random start.
    """
    return max(1, int(share * total))


def monotone_in_epsilon(accuracies: Mapping[float, Accuracy]) -> Gate:
    """A larger ball leaves no more images standing; up to one image or 0.2 %."""
    ordered = sorted(accuracies.items())
    numbers = ", ".join(f"{accuracy} at {radius(epsilon)}" for epsilon, accuracy in ordered)
    passed = _falls([accuracy for _, accuracy in ordered])
    return Gate("accuracy falls with epsilon", passed, f"margin PGD leaves {numbers}")


def monotone_in_steps(accuracies: Sequence[tuple[str, Accuracy]]) -> Gate:
    """More steps leave no more images standing; up to one image or 0.2 %.

    Args:
        accuracies: attack and what it leaves, from the fewest to the most steps.
    """
    numbers = ", ".join(f"{name} leaves {accuracy}" for name, accuracy in accuracies)
    passed = _falls([accuracy for _, accuracy in accuracies])
    return Gate("accuracy falls with steps", passed, numbers)


def _falls(accuracies: Sequence[Accuracy]) -> bool:
    return all(
        later.correct <= earlier.correct + tolerance(SQUARE_GAP, earlier.total)
        for earlier, later in pairwise(accuracies)
    )


def everything_falls(accuracy: Accuracy) -> Gate:
    """Where any image at all is allowed, nothing stands."""
    passed = accuracy.correct <= tolerance(EVERYTHING, accuracy.total)
    return Gate(
        "nothing stands at epsilon 1", passed, f"margin PGD leaves {accuracy} at Linf epsilon 1"
    )


def gradients_exist(without: Accuracy) -> Gate:
    """Hardly any image has a cross-entropy gradient of exactly zero.

    Args:
        without: images, of those classified right, whose gradient is zero in every pixel.
    """
    passed = without.share <= ZERO_GRADIENTS
    return Gate(
        "gradients exist",
        passed,
        f"{without.correct} of {without.total} images have a cross-entropy gradient of exactly "
        f"zero ({ZERO_GRADIENTS:.0%} allowed)",
    )


def logit_scale(cross_entropy: Mapping[float, Accuracy], margin: Mapping[float, Accuracy]) -> Gate:
    """The logits are not so large that they blind cross-entropy PGD.

    Smaller logits, which change no prediction, must not let cross-entropy PGD find much more.
    Larger ones may: of a network that is hardly sure of anything, cross-entropy is a poor attack,
    but that hides nothing from the margin. Margin PGD must not notice any factor at all.

    Args:
        cross_entropy: what cross-entropy PGD leaves, by factor on the logits; 1 is among them.
        margin: likewise for margin PGD.
    """
    own = cross_entropy[1.0]
    lowest = min(left.correct for factor, left in cross_entropy.items() if factor <= 1)
    spread = max(a.correct for a in margin.values()) - min(a.correct for a in margin.values())
    passed = own.correct - lowest <= tolerance(SCALE_GAIN, own.total) and spread <= 1
    numbers = ", ".join(f"{a} at {factor:.3g}" for factor, a in sorted(cross_entropy.items()))
    return Gate(
        "logit scale hides nothing",
        passed,
        f"cross-entropy PGD leaves, by factor on the logits, {numbers}; margin PGD changes by "
        f"{spread} of {own.total} images",
    )


def losses_agree(cross_entropy: Accuracy, margin: Accuracy) -> Gate:
    """Cross-entropy PGD is not much weaker than margin PGD, which no scale can blind."""
    passed = cross_entropy.correct - margin.correct <= tolerance(LOSS_GAP, margin.total)
    return Gate(
        "cross-entropy sees what margin sees",
        passed,
        f"PGD leaves {cross_entropy} on cross-entropy, {margin} on the margin",
    )


def black_box_is_weaker(white: Accuracy, both: Accuracy, queries: int, *, where: str = "") -> Gate:
    """Square, which asks for no gradient, breaks hardly anything that gradients did not.

    Args:
        white: what gradient attacks leave.
        both: what Square leaves of those.
        queries: of Square, per image.
        where: the attack or ball, where it needs to be told apart.
    """
    found = white.correct - both.correct
    return Gate(
        f"black box finds nothing new{f', {where}' if where else ''}",
        found <= tolerance(SQUARE_GAP, white.total),
        f"Square ({queries} queries) breaks {found} of the {white.correct} images that gradient "
        f"attacks left of {white.total}",
    )


def autoattack_is_stronger(autoattack: Accuracy, weakest: Accuracy, threat: str) -> Gate:
    """AutoAttack leaves no more than the best of the simple attacks, on the same images."""
    passed = autoattack.correct <= weakest.correct + tolerance(SQUARE_GAP, autoattack.total)
    return Gate(
        f"AutoAttack is at least as strong, {threat}",
        passed,
        f"AutoAttack leaves {autoattack}, PGD {weakest}",
    )


def verdict(gates: Sequence[Gate]) -> str:
    """``plausible``, or ``masked gradients:`` and what was measured where a gate failed."""
    failed = [f"{gate.name}? No: {gate.measured}" for gate in gates if not gate.passed]
    return "masked gradients: " + "; ".join(failed) if failed else "plausible"
