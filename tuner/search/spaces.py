"""Finding a search space by its name, or in a user's own module."""

import importlib
import sys
from pathlib import Path

from search_spaces import SEARCH_SPACES, SearchSpace
from trainables.spelling import unknown


def find_search_space(name: str) -> SearchSpace:
    """A built-in space, or the one at ``module:attribute``.

    The attribute is a ``SearchSpace`` or a function of a trial; modules are also found in the
    current folder.

    Raises:
        ValueError: if there is none.
    """
    if name in SEARCH_SPACES:
        return SEARCH_SPACES[name]
    module_name, colon, attribute = name.partition(":")
    if not colon:
        raise ValueError(f"{unknown('search space', name, SEARCH_SPACES)}, or module:function")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"search space {name!r} cannot be imported: {error}") from error
    if isinstance(found, SearchSpace):
        return found
    if callable(found):
        return SearchSpace(found)
    raise ValueError(f"search space {name!r} must be a function or a SearchSpace, got {found!r}")
