"""Keeping only what differs, and getting the whole back."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.differences import describe_differences, difference, merged

KEYS = st.sampled_from(["a", "b", "c"])
LEAVES = st.none() | st.booleans() | st.integers(-2, 2) | st.lists(st.integers(0, 2), max_size=2)
NESTED = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3)), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(NESTED, NESTED)
def test_what_differs_laid_over_the_base_is_the_whole_again(base, whole):
    assert merged(base, difference(base, whole)) == whole


@settings(max_examples=60, deadline=None)
@given(NESTED, NESTED)
def test_a_difference_survives_json(base, whole):
    stored = json.loads(json.dumps(difference(base, whole)))

    assert merged(base, stored) == whole


@given(NESTED)
def test_nothing_differs_from_itself(base):
    assert difference(base, base) == {}
    assert describe_differences(base, base) == ""


def test_only_what_differs_is_kept():
    base = {"epochs": 9, "optimizer": {"name": "sgd", "learning_rate": 0.1}}

    changed = difference(base, {**base, "optimizer": {"name": "sgd", "learning_rate": 0.2}})

    assert changed == {"optimizer": {"learning_rate": {"=": 0.2}}}


def test_differences_are_told_by_path_three_at_the_most():
    before = {"a": {"x": 1}, "b": 1, "c": 1, "d": 1}
    now = {"a": {"x": 2}, "b": 2, "c": 2, "e": 1}

    words = describe_differences(before, now)

    assert words.startswith("a/x was 1 and is now 2; b was 1 and is now 2; c was 1")
    assert words.endswith("(and 2 more)")
    assert "d was 1 and is now 'absent'" in describe_differences({"d": 1}, {})
