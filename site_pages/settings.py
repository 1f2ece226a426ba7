"""Study and trial files, field by field, as a reference made from the models that read them."""

import sys
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from site_pages.types import allowed, in_words, models_in, tag_of
from trainables.config import TrialConfig
from trainables.spelling import unknown
from tuner.study import StudyConfig

MODELS: dict[str, type[BaseModel]] = {"study": StudyConfig, "trial": TrialConfig}
ELSEWHERE = {"study": (TrialConfig,), "trial": ()}
"""Models that have a page of their own."""


def settings_reference(which: str) -> str:
    """A section per settings object of a file: its places, then a row per field.

    Args:
        which: ``study`` or ``trial``.

    Raises:
        ValueError: for anything else.
    """
    if which not in MODELS:
        raise ValueError(unknown("file", which, MODELS))
    places: dict[type[BaseModel], list[str]] = {}
    for model, place in _walk(MODELS[which], "", ELSEWHERE[which]):
        places.setdefault(model, []).append(place)
    text = "\n".join(_section(model, where) for model, where in places.items())
    for model in ELSEWHERE[which]:
        text = text.replace(f"(#{model.__name__.lower()})", "(trial-file.md)")
    return text


def _walk(
    model: type[BaseModel], place: str, elsewhere: tuple[type[BaseModel], ...]
) -> Iterator[tuple[type[BaseModel], str]]:
    """Every settings object with its place; one that holds itself is entered once."""
    yield model, place
    for name, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            if inner not in elsewhere and inner is not model:
                key = f"{name}/…" if "dict" in str(field.annotation)[:5] else name
                yield from _walk(inner, f"{place}/{key}".strip("/"), elsewhere)


def _section(model: type[BaseModel], places: list[str]) -> str:
    where = ", ".join(f"`{place}`" for place in dict.fromkeys(places) if place)
    tag = tag_of(model)
    fields = {
        key: field for key, field in model.model_fields.items() if not (tag and key == "name")
    }
    rows = [_row(key, field) for key, field in fields.items()]
    lines = [
        f"## {f'{tag}: ' if tag else ''}{model.__name__} {{ #{model.__name__.lower()} }}",
        "",
        f"{f'At {where}. ' if where else ''}{f'`name: {tag}`. ' if tag else ''}{_summary(model)}",
        "",
        "| field | what | takes | default |",
        "|---|---|---|---|",
        *rows,
        "",
    ]
    return "\n".join(lines)


def _row(key: str, field: FieldInfo) -> str:
    takes = ", ".join(filter(None, (in_words(field.annotation), allowed(field))))
    cells = [f"`{key}`", what(field), takes, default(field)]
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|").replace("<name>", "&lt;name&gt;")


def what(field: FieldInfo) -> str:
    """The field's description, or the first line of what its settings object says of itself."""
    if field.description:
        return field.description
    models = models_in(field.annotation)
    return _summary(models[0]) if models else ""


def default(field: FieldInfo) -> str:
    """The default as it would be written in YAML; settings objects stand for their own defaults."""
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return f"[{type(value).__name__}](#{type(value).__name__.lower()})"
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"`{value:.4g}`"
    text = yaml.safe_dump(to_jsonable_python(value), default_flow_style=True, width=1000)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"


def _summary(model: type[BaseModel]) -> str:
    """The first line of what a settings object says of itself; its file's, if that is a formula."""
    text = cleandoc(model.__doc__ or "").partition("\n")[0]
    if ":math:" in text:
        text = cleandoc(sys.modules[model.__module__].__doc__ or "").partition("\n")[0]
    return text.replace("``", "`")
