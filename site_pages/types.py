"""The type of a setting in words, and the range that it must lie in."""

import types
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

PLAIN: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    Any: "any value",
    type(None): "null",
}
SIGNS = {Ge: ("≥", "ge"), Gt: (">", "gt"), Le: ("≤", "le"), Lt: ("<", "lt")}


def in_words(annotation: Any) -> str:
    """``one of a, b``, ``list of number``; a settings object is a link to its section."""
    if annotation in PLAIN:
        return PLAIN[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{tag_of(annotation) or annotation.__name__}](#{annotation.__name__.lower()})"
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return in_words(inside[0])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in inside)
    if origin in {Union, types.UnionType}:
        return _either(inside)
    if origin is dict:
        return f"names with {in_words(inside[1])}"
    if origin in {list, tuple}:
        kinds = dict.fromkeys(in_words(one) for one in inside if one is not Ellipsis)
        return f"list of {' or '.join(kinds)}".replace("number", "numbers")
    return f"`{annotation}`"


def tag_of(model: type[BaseModel]) -> str:
    """The ``name`` by which a file chooses this one of several settings objects, if it does."""
    field = model.model_fields.get("name")
    names = get_args(field.annotation) if field is not None else ()
    if field is None or get_origin(field.annotation) is not Literal or len(names) != 1:
        return ""
    return str(names[0])


def _either(inside: Iterable[Any]) -> str:
    texts = list(dict.fromkeys(map(in_words, inside)))
    named = [text for text in texts if text != "null"]
    return " or ".join([*named, *(["null"] if "null" in texts else [])])


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The settings objects that a type can hold, in its order."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in models_in(inner)]


def allowed(field: FieldInfo) -> str:
    """``≥ 0, < 1``; empty where every value of the type is allowed."""
    found = []
    for rule in field.metadata:
        for kind, (sign, attribute) in SIGNS.items():
            if isinstance(rule, kind):
                found.append(f"{sign} {getattr(rule, attribute):g}")
        if isinstance(rule, MinLen):
            found.append(f"at least {rule.min_length}")
        if isinstance(rule, MaxLen):
            found.append(f"at most {rule.max_length}")
        if pattern := getattr(rule, "pattern", None):
            found.append(f"matches `{pattern}`")
    return ", ".join(found)
