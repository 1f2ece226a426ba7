"""The order of points with several objectives, against its definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.search.front_geometry import non_dominated_ranks
from tuner.search.ranking import TIE_BREAKS, crowding_order, epsilon_net_order, is_among_best

QUICK = settings(max_examples=25, deadline=None)
# few different values: many points are equal or tie on an objective
VALUES = st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0])


@st.composite
def point_sets(draw):
    """Losses of 1 to 12 points with 1 to 4 objectives, and violations, of which many are 0."""
    columns = draw(st.integers(1, 4))
    rows = draw(
        st.lists(st.lists(VALUES, min_size=columns, max_size=columns), min_size=1, max_size=12)
    )
    violations = draw(
        st.lists(st.sampled_from([0.0, 0.0, 0.1, 2.0]), min_size=len(rows), max_size=len(rows))
    )
    return np.array(rows), np.array(violations)


@st.composite
def fronts(draw):
    """Losses of points of which none dominates another."""
    losses, _ = draw(point_sets())
    return losses[non_dominated_ranks(losses) == 0]


def dominates(one, other):
    return all(one <= other) and any(one < other)


def brute_force_ranks(losses):
    """Peel off whoever is dominated by nobody that is left."""
    ranks, left, rank = {}, set(range(len(losses))), 0
    while left:
        front = {i for i in left if not any(dominates(losses[j], losses[i]) for j in left)}
        ranks |= dict.fromkeys(front, rank)
        left, rank = left - front, rank + 1
    return [ranks[i] for i in range(len(losses))]


def brute_force_constrained_ranks(losses, violations):
    """Whoever holds the constraints by rank; then the others, one level per violation."""
    feasible = [i for i, violation in enumerate(violations) if violation <= 0]
    ranks = dict(zip(feasible, brute_force_ranks(losses[feasible]), strict=True))
    levels = sorted({violation for violation in violations if violation > 0})
    first = max(ranks.values(), default=-1) + 1
    return [
        ranks.get(i, first + levels.index(v) if v > 0 else None) for i, v in enumerate(violations)
    ]


@QUICK
@given(point_sets())
def test_ranks_are_the_fronts_peeled_off_one_by_one(points):
    losses, _ = points

    assert non_dominated_ranks(losses).tolist() == brute_force_ranks(losses)


@QUICK
@given(point_sets())
def test_whoever_holds_the_constraints_comes_first_then_the_less_violating(points):
    losses, violations = points

    ranks = non_dominated_ranks(losses, violations)

    assert ranks.tolist() == brute_force_constrained_ranks(losses, violations)


@pytest.mark.parametrize("order", TIE_BREAKS.values(), ids=TIE_BREAKS)
@QUICK
@given(front=fronts())
def test_an_order_of_a_front_holds_every_point_once(order, front):
    assert sorted(order(front)) == list(range(len(front)))


@pytest.mark.parametrize("order", TIE_BREAKS.values(), ids=TIE_BREAKS)
@QUICK
@given(front=fronts())
def test_the_best_of_each_objective_is_among_the_first(order, front):
    objectives = front.shape[1]

    first = front[order(front)[:objectives]]

    assert (first.min(axis=0) == front.min(axis=0)).all()


def test_crowding_takes_the_loneliest_of_the_middle_first():
    front = np.array([[0.0, 10.0], [1.0, 9.0], [2.0, 8.0], [6.0, 4.0], [10.0, 0.0]])

    assert crowding_order(front).tolist() == [0, 4, 3, 2, 1]


def test_an_epsilon_net_takes_whoever_is_farthest_from_the_ones_taken():
    front = np.array([[0.0, 10.0], [1.0, 9.0], [2.0, 8.0], [6.0, 4.0], [10.0, 0.0]])

    assert epsilon_net_order(front).tolist() == [0, 4, 3, 2, 1]


@QUICK
@given(fronts())
def test_every_next_point_of_an_epsilon_net_is_one_of_the_farthest(front):
    order = epsilon_net_order(front).tolist()
    spread = np.ptp(front, axis=0)
    scaled = front / np.where(spread > 0, spread, 1)
    between = np.linalg.norm(scaled[:, None] - scaled, axis=2)

    extremes = len(set(front.argmin(axis=0).tolist()))
    for taken in range(extremes, len(order)):
        distances = between[order[taken:]][:, order[:taken]].min(axis=1)
        assert distances[0] == pytest.approx(distances.max())


@pytest.mark.parametrize("tie_break", TIE_BREAKS)
@QUICK
@given(points=point_sets(), capacity=st.integers(1, 12))
def test_being_among_the_best_is_a_place_in_the_whole_order(tie_break, points, capacity):
    losses, violations = points
    ranks = non_dominated_ranks(losses, violations)
    whole = []
    for rank in sorted(set(ranks.tolist())):
        peers = np.flatnonzero(ranks == rank)
        whole += peers[TIE_BREAKS[tie_break](losses[peers])].tolist()

    answers = [
        is_among_best(point, capacity, losses, violations, tie_break=tie_break)
        for point in range(len(losses))
    ]

    assert [best for best, _ in answers] == [
        point in whole[:capacity] for point in range(len(losses))
    ]
    assert [rank for _, rank in answers] == ranks.tolist()
