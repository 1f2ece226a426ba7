"""What a method's authors set in the rest of a trial, where its user says nothing."""

from collections.abc import Iterator, Mapping
from typing import Any

from trainables.frozen import Frozen
from trainables.methods import METHODS, Method

Path = tuple[str, ...]


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``overrides`` on top, dictionaries merged key by key; neither is changed.

    ``True`` over a dictionary switches on what is there already and changes nothing.
    """
    merged = dict(base)
    for key, value in overrides.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(below, value)
        elif not (isinstance(below, Mapping) and value is True):
            merged[key] = value
    return merged


def with_conventions(trial: Mapping[str, Any], default_method: str) -> dict[str, Any]:
    """A trial's settings on top of the conventions of its method.

    Args:
        trial: settings as a user writes them: dictionaries, or settings objects in code, of which
            what was set explicitly counts.
        default_method: the method of a trial that names none.
    """
    method = trial.get("method", {"name": default_method})
    written = method.model_dump() if isinstance(method, Method) else method
    name = _name(written, default_method)
    conventions = METHODS[name].conventions if name in METHODS else {}
    touched = {
        key: _written(value) if key in conventions else value for key, value in trial.items()
    }
    return merge(conventions, touched)


def _name(method: Any, default: str) -> str:
    name = method.get("name", default) if isinstance(method, Mapping) else ""
    return name if isinstance(name, str) else ""


def _written(value: Any) -> Any:
    return value.model_dump(exclude_unset=True) if isinstance(value, Frozen) else value


def for_another_method(
    base: Mapping[str, Any], name: str, default: Mapping[str, Any]
) -> dict[str, Any]:
    """A complete trial without its method and without what followed from it.

    What the conventions of either method touch, and what has the value that it would have anyway,
    is taken out; so a base for one method serves a trial of another.

    Args:
        base: a complete trial, as a dictionary.
        name: the other method.
        default: the complete trial that ``base``'s method gives by itself.
    """
    result = {key: value for key, value in base.items() if key != "method"}
    for method in (base["method"]["name"], name):
        for path in _paths(METHODS[method].conventions if method in METHODS else {}):
            if _at(base, path) == _at(default, path):
                result = _without(result, path)
    return result


def _paths(conventions: Mapping[str, Any]) -> Iterator[Path]:
    """Two keys deep: an option of the attack, an alignment as a whole."""
    return ((section, key) for section, values in conventions.items() for key in values)


def _at(trial: Mapping[str, Any], path: Path) -> Any:
    section, key = path
    return trial[section].get(key)


def _without(trial: Mapping[str, Any], path: Path) -> dict[str, Any]:
    section, key = path
    return {**trial, section: {k: v for k, v in trial[section].items() if k != key}}
