"""Radii and step sizes as people write them: ``8/255``, ``0.003``, ``0.25eps``."""

import re
from typing import Literal

Unit = Literal["image", "epsilon"]

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_FORM = re.compile(
    rf"(?P<top>{_NUMBER})?\*?(?P<epsilon>epsilon|eps)?(?:/(?P<bottom>{_NUMBER}))?", re.IGNORECASE
)


def parse_step(text: str) -> tuple[float, Unit]:
    """A length and its unit: ``2/255`` is in image units, ``0.25eps`` and ``eps/10`` in epsilons.

    Raises:
        ValueError: if it is neither.
    """
    match = _FORM.fullmatch(re.sub(r"\s", "", text))
    bottom = float(match["bottom"] or 1) if match else 0.0
    if match is None or not (match["top"] or match["epsilon"]) or bottom == 0:
        raise ValueError(
            f"{text!r} is no length; write a number such as 0.03, a fraction such as 8/255, or a "
            "part of epsilon such as 0.25eps"
        )
    return float(match["top"] or 1) / bottom, "epsilon" if match["epsilon"] else "image"


def parse_radius(text: str) -> float:
    """A radius in the units of images in [0, 1]: ``8/255`` or ``0.2``.

    Raises:
        ValueError: if it is no number or fraction in (0, 1].
    """
    value, unit = parse_step(text)
    if unit == "epsilon" or not 0 < value <= 1:
        raise ValueError(
            f"epsilon must be a number or fraction above 0 and at most 1 (8/255, 0.2), got {text!r}"
        )
    return value


def parse_radii(text: str | None) -> tuple[float, ...] | None:
    """Radii with commas between them, in their order; None where nothing is said.

    Raises:
        ValueError: as ``parse_radius``.
    """
    return None if text is None else tuple(parse_radius(part) for part in text.split(","))


def radius(epsilon: float) -> str:
    """Epsilon as people write it: ``0.15``, or ``8/255`` where it is a number of grey levels."""
    levels = epsilon * 255
    if abs(epsilon - round(epsilon, 3)) < 1e-9 or abs(levels - round(levels)) > 1e-6:
        return f"{epsilon:.4g}"
    return f"{round(levels)}/255"
