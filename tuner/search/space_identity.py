"""Noticing that the code of a search space has changed under a study."""

import json

from search_spaces import explore
from tuner.differences import describe_differences
from tuner.search.spaces import find_search_space
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig


def describe_space(study: StudyConfig) -> dict[str, str]:
    """The space's parameters and their distributions, in words."""
    space = find_search_space(study.search_space)
    teachers = sorted(study.teachers)
    found = explore(space, ranges=study.ranges, fixed=study.fixed, teachers=teachers)
    return {name: str(distribution) for name, distribution in sorted(found.items())}


def require_same_space(study: StudyConfig, ledger: Ledger) -> None:
    """See that the space's code is what it was when the study began.

    Raises:
        ValueError: with the difference, if it has changed.
    """
    now = json.dumps(describe_space(study))
    before = ledger.remember("space", now)
    if differences := describe_differences(json.loads(before), json.loads(now)):
        raise ValueError(
            f"search space {study.search_space!r} has changed since the study began: "
            f"{differences}; restore it, or begin another study"
        )
