"""Geometry of a front: who dominates whom, hypervolume, knee.

Everything here speaks of losses, arrays ``(points, objectives)`` in which less is better; what is
maximised comes in with its sign turned.
"""

import numpy as np
from numpy.typing import NDArray
from optuna._hypervolume import (
    compute_hypervolume,
)  # private in Optuna: used in this file only, tested against ours

Losses = NDArray[np.float64]


def dominance(losses: Losses) -> NDArray[np.bool_]:
    """``(points, points)``: does the row's point dominate the column's?"""
    rows, columns = losses[:, None], losses[None]
    return np.asarray((rows <= columns).all(axis=2) & (rows < columns).any(axis=2))


def non_dominated_ranks(losses: Losses, violations: Losses | None = None) -> NDArray[np.int64]:
    """Rank of each point: 0 on the front, 1 on the front of the rest, … (Deb et al., 2002).

    Args:
        losses: ``(points, objectives)``, finite.
        violations: ``(points,)``; how far each point is from holding the constraints, 0 where it
            holds them. Points that do not come after all that do, less violated first.

    Returns:
        ``(points,)``; some have rank 0, even if none holds the constraints.
    """
    if violations is None or not (violations > 0).any():
        return _ranks(losses)
    feasible = violations <= 0
    ranks = np.empty(len(losses), dtype=np.int64)
    ranks[feasible] = _ranks(losses[feasible])
    after = ranks[feasible].max(initial=-1) + 1
    ranks[~feasible] = after + np.unique(violations[~feasible], return_inverse=True)[1]
    return ranks


def _ranks(losses: Losses) -> NDArray[np.int64]:
    points, place = np.unique(losses, axis=0, return_inverse=True)
    ranks = np.full(len(points), -1)
    left = np.arange(len(points))  # in lexicographic order: nobody is dominated by a later one
    while len(left):
        best = _first_front(points[left])
        ranks[left[best]] = ranks.max() + 1
        left = left[~best]
    return np.asarray(ranks[place.reshape(-1)])


def _first_front(points: Losses) -> NDArray[np.bool_]:
    """Who of different points, sorted, is not dominated."""
    if points.shape[1] > 2:
        return np.asarray(~dominance(points).any(axis=0))
    if points.shape[1] == 1:
        return np.asarray(np.arange(len(points)) == 0)
    lowest = np.minimum.accumulate(points[:, 1])
    return np.append(True, points[1:, 1] < lowest[:-1])


def hypervolume(losses: Losses, reference: Losses) -> float:
    """Volume between the points and the reference corner ``(objectives,)``.

    Points beyond the reference count for nothing.
    """
    inside = np.minimum(losses, reference)
    if len(inside) == 0:
        return 0.0
    if len(reference) == 2:
        return hypervolume_2d(inside, reference)
    return float(compute_hypervolume(inside, reference))


def hypervolume_2d(losses: Losses, reference: Losses) -> float:
    """Exact area of the union of the rectangles between points and reference; O(n log n)."""
    x, y = losses[np.argsort(losses[:, 0])].T
    widths = np.diff(np.append(x, reference[0]))
    heights = reference[1] - np.minimum.accumulate(y)
    return float(widths @ heights)


def knee(losses: Losses) -> int:
    r"""Index of the point of a front that lies farthest beyond the line between its extremes.

    Each objective is scaled to [0, 1] over the front, so that for two objectives the line runs from
    (0, 1) to (1, 0) and the distance beyond it is :math:`(1 - x - y) / \sqrt 2`: the knee has the
    smallest sum of scaled losses. The same sum serves any number of objectives. Where no point lies
    beyond the line the sums of the extremes are the smallest. Equal sums go to the smallest largest
    scaled loss, the more balanced point; then, as of two points, to the smallest sum of losses.
    """
    spread = np.ptp(losses, axis=0)
    scaled = (losses - losses.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    # rounded: sums that are equal on paper differ in the last bits
    keys = (losses.sum(axis=1), scaled.max(axis=1).round(9), scaled.sum(axis=1).round(9))
    return int(np.lexsort(keys)[0])
