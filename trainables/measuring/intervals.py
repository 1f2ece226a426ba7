"""How sure a measured accuracy is."""


def wilson(accuracy: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Confidence interval of a share (Wilson, 1927); never leaves [0, 1], right also near its ends.

    Args:
        accuracy: share of images, in [0, 1].
        n: images it was measured on, >= 1.
        z: normal quantile; the default gives 95 %.

    Returns:
        Lower and upper end, in [0, 1].

    Raises:
        ValueError: if ``accuracy`` or ``n`` is out of range.
    """
    if not 0 <= accuracy <= 1 or n < 1:
        raise ValueError(f"accuracy must be in [0, 1] and n at least 1, got {accuracy} and {n}")
    centre = (accuracy + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (accuracy * (1 - accuracy) / n + z**2 / (4 * n**2)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)
