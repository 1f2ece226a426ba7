"""Turning a validation error into one sentence: what, the rule, the value, what is allowed."""

import re
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from trainables.methods import METHODS
from trainables.spelling import shortened, shown, unknown
from tuner.search.scheduler_config import SCHEDULERS

LONGEST = 800
"""Characters of a sentence, which may name what somebody wrote."""

TAGS = {*METHODS, *SCHEDULERS}
"""Names that tell the members of a union apart."""


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first thing that is wrong, and how many more there are."""
    details = error.errors(include_url=False)
    others = len(details) - 1
    more = f" (and {others} more)" if others else ""
    return f"{shortened(_sentence(details[0], model), LONGEST)}{more}"


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    path = [part for part in detail["loc"] if part not in TAGS]  # the tag of a union is no key
    where = "/".join(map(str, path)) or model.__name__
    value = detail["input"]
    context = detail.get("ctx", {})
    if detail["type"] == "extra_forbidden":
        return _unknown_key(path, model)
    if detail["type"] == "union_tag_invalid":
        return unknown(f"{where}/name", context.get("tag"), _quoted(context["expected_tags"]))
    if detail["type"] == "union_tag_not_found":
        return f"{where}/name is missing, it says which kind of {path[-1]} is meant"
    if detail["type"] == "literal_error":
        return f"{where} must be {context['expected']}, got {shown(value)}"
    if detail["type"] == "missing":
        return f"{where} is missing"
    if detail["type"] == "value_error":
        return f"{where}: {context['error']}" if path else str(context["error"])
    rule = detail["msg"]
    for opening in ("Input should ", "Value should ", "String should ", "List should "):
        rule = rule.removeprefix(opening)
    return f"{where} must {rule}, got {shown(value)}"


def _quoted(text: str) -> list[str]:
    """Names out of pydantic's ``'one', 'two'``."""
    return re.findall(r"'([^']+)'", text)


def _unknown_key(path: list[int | str], model: type[BaseModel]) -> str:
    *parents, key = path
    allowed: set[str] = set()
    for owner in _models_at(model, list(parents)):
        allowed |= set(owner.model_fields)
    place = "/".join(map(str, parents))
    return unknown(f"key in {place}" if place else "key", key, allowed)


def _models_at(model: type[BaseModel], path: list[int | str]) -> Iterator[type[BaseModel]]:
    """The models that may stand at a path of keys."""
    if not path:
        yield model
        return
    field = model.model_fields.get(str(path[0]))
    if field is None:
        return
    for inner in _models_in(field.annotation):
        skip = 2 if _is_container(field.annotation) else 1
        yield from _models_at(inner, path[skip:])


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


def _is_container(annotation: Any) -> bool:
    return typing.get_origin(annotation) in {dict, list, tuple}
