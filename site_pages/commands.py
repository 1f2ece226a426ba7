"""The command line, as a reference made from Typer's own description of it."""

from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from typer.main import get_command

from tuner.cli import app

KINDS = {str: "text", int: "whole number", float: "number", Path: "path"}


def command_reference() -> str:
    """A section per verb: what it does, its usage, its arguments and options."""
    return "\n".join(_section(name, verb) for name, verb in _verbs().items())


def _verbs() -> dict[str, Any]:
    return dict(get_command(app).commands)  # type: ignore[attr-defined]


def _section(name: str, verb: Any) -> str:
    kinds = {key: _kind(hint) for key, hint in get_type_hints(verb.callback).items()}
    rows = [_row(param, kinds.get(param.name, "")) for param in verb.params]
    table = ["| argument or option | takes | default | what |", "|---|---|---|---|", *rows]
    usage = " ".join(["tuner", name, *_usage(verb.params)])
    text = " ".join((verb.help or "").split())
    lines = [f"## tuner {name}", "", text, "", f"```text\n{usage}\n```", ""]
    return "\n".join([*lines, *(table if rows else []), ""])


def _usage(params: Iterable[Any]) -> Iterable[str]:
    for param in params:
        if param.param_type_name == "argument":
            name = (param.metavar or param.name).upper() + ("…" if param.nargs == -1 else "")
            yield name if param.required else f"[{name}]"
    yield "[options]"


def _row(param: Any, kind: str) -> str:
    option = param.param_type_name == "option"
    names = ", ".join(f"`{name}`" for name in [*param.opts, *param.secondary_opts])
    cells = [
        names if option else f"`{param.name.upper()}`",
        f"{kind}{', repeatable' if param.multiple or param.nargs == -1 else ''}",
        _default(param),
        _cell(param.help or ""),
    ]
    return f"| {' | '.join(cells)} |"


def _kind(hint: Any) -> str:
    """What a parameter takes, in words; nothing for a switch."""
    if isinstance(hint, type):
        if issubclass(hint, Enum):
            return ", ".join(f"`{choice.value}`" for choice in hint)
        return KINDS.get(hint, "")
    if get_origin(hint) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(hint))
    inside = [inner for inner in get_args(hint) if inner is not type(None)]
    return _kind(inside[0]) if inside else ""


def _default(param: Any) -> str:
    value = getattr(param.default, "value", param.default)
    if param.required or value in (None, False, (), []):
        return "required" if param.required else ""
    return f"`{'on' if value is True else value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")
