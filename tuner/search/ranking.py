"""A total order of points with several objectives: who goes on, if only some can.

Losses as in ``front_geometry``: arrays ``(points, objectives)`` in which less is better.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tuner.search.front_geometry import Losses, non_dominated_ranks

Order = NDArray[np.int64]
"""Indices of points, the best first."""


def crowding_order(front: Losses) -> Order:
    """Points of one front, the extremes of each objective first, then the least crowded.

    Crowding distance: Deb et al., 2002, Sec. III-B. Of equal points all but one are crowded wholly.
    """
    distance = np.zeros(len(front))
    for values in front.T:
        order = np.argsort(values, kind="stable")
        spread = values[order[-1]] - values[order[0]]
        gaps = (values[order[2:]] - values[order[:-2]]) / (spread or 1.0)
        distance[order[1:-1]] += gaps
        distance[order[0]] = np.inf  # the best of this objective; the worst is best in another
    return np.argsort(-distance, kind="stable")


def epsilon_net_order(front: Losses) -> Order:
    """Points of one front, the extremes of each objective first, then whoever is farthest.

    Each next point is the one farthest from all before it, objectives scaled to [0, 1] over the
    front (the epsilon-net of Clarkson, 2005; for successive halving Salinas et al., 2021).
    """
    spread = np.ptp(front, axis=0)
    scaled = front / np.where(spread > 0, spread, 1.0)
    order = list(dict.fromkeys(int(i) for i in front.argmin(axis=0)))
    to_chosen = np.linalg.norm(scaled[:, None] - scaled[order], axis=2).min(axis=1)
    to_chosen[order] = -1.0
    while len(order) < len(front):
        order.append(int(to_chosen.argmax()))
        distance = np.linalg.norm(scaled - scaled[order[-1]], axis=1)
        to_chosen = np.minimum(to_chosen, distance)
        to_chosen[order] = -1.0
    return np.array(order)


TIE_BREAKS: dict[str, Callable[[Losses], Order]] = {
    "crowding": crowding_order,
    "epsilon_net": epsilon_net_order,
}


def is_among_best(
    point: int, capacity: int, losses: Losses, violations: Losses, *, tie_break: str
) -> tuple[bool, int]:
    """Whether a point is among the best ``capacity``, and its non-dominated rank.

    Points are ordered by rank, constraints first, and within a rank by ``tie_break``. Only the
    point's own rank has to be ordered.
    """
    ranks = non_dominated_ranks(losses, violations)
    mine = ranks[point]
    before = int((ranks < mine).sum())
    peers = np.flatnonzero(ranks == mine)
    if before >= capacity or before + len(peers) <= capacity:
        return before < capacity, int(mine)
    kept = peers[TIE_BREAKS[tie_break](losses[peers])][: capacity - before]
    return bool((kept == point).any()), int(mine)
