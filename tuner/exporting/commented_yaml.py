"""Settings as YAML in which every field says what it means, in its own unit."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tuner.plain_yaml import yaml_text

COLUMN = 40
"""Where comments begin, counted in characters; a longer setting pushes its comment below it."""

WIDTH = 100

KIND = "the kind; the settings beside it are its own"
"""Of the name that tells the members of a union apart."""

Path = tuple[str | int, ...]


def commented(settings: Mapping[str, Any], model: BaseModel) -> str:
    """YAML that reads back as ``settings``, with a description behind every key.

    Args:
        settings: JSON types, nested; written in their order.
        model: the same settings validated; its fields' descriptions and the first lines of its
            classes are the comments.
    """
    return as_yaml(settings, describe(model))


def as_yaml(settings: Mapping[str, Any], notes: Mapping[Path, str] | None = None) -> str:
    """YAML with every value on one line, sections apart, and notes behind keys by their path."""
    text, after_section = "", False
    for key, value in settings.items():
        section = isinstance(value, Mapping)
        gap = "\n" if text and (section or after_section) else ""
        text += gap + "".join(_entry((key,), value, notes or {}, ""))
        after_section = section
    return text


def describe(model: BaseModel, path: Path = ()) -> dict[Path, str]:
    """What every field and section of a model means, by its path."""
    notes: dict[Path, str] = {}
    for name, field in type(model).model_fields.items():
        value, here = getattr(model, name), (*path, name)
        notes[here] = field.description or _of_section(value, field)
        for place, one in _models(value, here):
            notes |= describe(one, place)
    return notes


def _of_section(value: object, field: FieldInfo) -> str:
    """Of a field without a description of its own: what its class says."""
    if isinstance(value, BaseModel):
        return summary(type(value))
    kinds = [kind for kind in get_args(field.annotation) if isinstance(kind, type)]
    described = [kind for kind in kinds if issubclass(kind, BaseModel)]
    if described:  # an optional section that is off
        return f"off; {summary(described[0])}"
    return KIND if get_origin(field.annotation) is Literal else ""


def _models(value: object, path: Path) -> list[tuple[Path, BaseModel]]:
    if isinstance(value, BaseModel):
        return [(path, value)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [((*path, i), one) for i, one in enumerate(value) if isinstance(one, BaseModel)]
    return []


def summary(model: type[BaseModel]) -> str:
    r"""The first line of a class's docstring, its mathematics without markup.

    ``:math:`\|G_S - G_T\|_F^2``` becomes ``||G_S - G_T||_F^2``.
    """
    first = (model.__doc__ or "").strip().partition("\n")[0]
    text = re.sub(r":math:`([^`]*)`", lambda found: _plain(found[1]), first)
    return text.replace("``", "")


def _plain(latex: str) -> str:
    spaced = latex.replace(r"\,", " ").replace(r"\|", "||")
    return re.sub(r"[\\{}]", "", spaced)


def _entry(path: Path, value: object, notes: Mapping[Path, str], indent: str) -> Iterator[str]:
    key = f"{indent}{scalar(path[-1])}:"
    note = notes.get(path, "")
    if isinstance(value, Mapping) and value:
        yield from _line(key, note)
        for name, inner in value.items():
            yield from _entry((*path, name), inner, notes, indent + "  ")
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        yield from _line(key, note)
        for i, one in enumerate(value):
            yield from _item((*path, i), one, notes, indent)
    else:
        yield from _line(f"{key} {scalar(value)}", note)


def _item(path: Path, value: object, notes: Mapping[Path, str], indent: str) -> Iterator[str]:
    """An element of a list of mappings: the first line of it begins with a dash."""
    if not isinstance(value, Mapping) or not value:
        yield from _line(f"{indent}- {scalar(value)}", "")
        return
    lines = [
        line
        for name, inner in value.items()
        for line in _entry((*path, name), inner, notes, indent + "  ")
    ]
    yield f"{indent}- {lines[0][len(indent) + 2 :]}"
    yield from lines[1:]


def _line(setting: str, note: str) -> Iterator[str]:
    """A setting, and its comment beside it, going on below it where it is long."""
    rows = textwrap.wrap(note, WIDTH - COLUMN - 2, break_long_words=False, break_on_hyphens=False)
    beside = rows.pop(0) if rows and len(setting) < COLUMN else ""
    yield f"{setting:<{COLUMN}}# {beside}\n" if beside else f"{setting}\n"
    for row in rows:
        yield f"{'':<{COLUMN}}# {row}\n"


def scalar(value: object) -> str:
    """A value on one line, as YAML."""
    text = yaml_text(value, default_flow_style=True, width=float("inf"))
    line = text.removesuffix("\n").removesuffix("...").rstrip("\n")
    return line if line.isprintable() else json.dumps(value)
