"""Radii as Python has them, numbers or text."""

from collections.abc import Sequence

Radii = str | float | Sequence[float]
"""``0.1``, ``[0.1, 0.2]`` or ``"2/255,8/255"``, in image units."""


def radii_in_text(epsilon: Radii | None) -> str | None:
    """As a command line has them."""
    if epsilon is None or isinstance(epsilon, str):
        return epsilon
    values = [epsilon] if isinstance(epsilon, int | float) else list(epsilon)
    return ",".join(map(repr, map(float, values)))
