"""How nested settings differ from others: to keep only that, and to tell people."""

from collections.abc import Mapping
from typing import Any

Settings = Mapping[str, Any]


def difference(base: Settings, settings: Settings) -> dict[str, Any]:
    """What :func:`merged` has to lay over ``base`` to get ``settings``.

    A key of the base that the settings lack makes the whole mapping around it part of the
    difference, under ``"="``.
    """
    if base.keys() - settings.keys():
        return {"=": dict(settings)}
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in base or base[key] != value:
            inner = base.get(key)
            if isinstance(inner, Mapping) and isinstance(value, Mapping):
                found[key] = difference(inner, value)
            else:
                found[key] = {"=": value}
    return found


def merged(base: Settings, changes: Settings) -> dict[str, Any]:
    """``base`` with the changes that :func:`difference` found; unchanged parts are shared."""
    if changes.keys() == {"="}:
        return dict(changes["="])
    return {**base, **{key: _changed(base.get(key, {}), change) for key, change in changes.items()}}


def _changed(base: Any, change: Settings) -> Any:
    if change.keys() == {"="}:
        return change["="]
    return merged(base, change)


def describe_differences(before: object, now: object) -> str:
    """The first three keys in which nested settings differ, in words; empty if they do not."""
    old, new = flatten(before), flatten(now)
    differences = [
        f"{key} was {old.get(key, 'absent')!r} and is now {new.get(key, 'absent')!r}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]
    more = f" (and {len(differences) - 3} more)" if len(differences) > 3 else ""
    return "; ".join(differences[:3]) + more


def flatten(value: object, prefix: str = "") -> dict[str, object]:
    """Values by their paths, keys joined with slashes; an empty mapping is a value."""
    if isinstance(value, dict) and value:
        flat: dict[str, object] = {}
        for key, inner in value.items():
            flat |= flatten(inner, f"{prefix}/{key}" if prefix else str(key))
        return flat
    return {prefix: value}
