"""A study as Python gets it: a shipped one, a file or a dictionary, with what is changed in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tuner.explain import explain
from tuner.study import StudyConfig
from tuner.study_file import find_study, load_study, read_settings


def load_config(
    source: str | Path | Mapping[str, Any] | StudyConfig, changes: Mapping[str, Any]
) -> StudyConfig:
    """The study that ``source`` describes, with ``changes`` merged into it.

    Args:
        source: the name of a shipped study, a YAML file, its content, or a study.
        changes: fields of a study file; dictionaries are merged key by key, except where they name
            another kind (``scheduler={"name": "fifo"}``), and everything else is replaced.

    Raises:
        ValueError: in one sentence, if there is no such study or it is not valid.
    """
    content, where = _content(source)
    try:
        return StudyConfig.model_validate(merged(content, changes))
    except ValidationError as error:
        raise ValueError(f"{where}: {explain(error, StudyConfig)}") from error


def _content(source: str | Path | Mapping[str, Any] | StudyConfig) -> tuple[Mapping[str, Any], str]:
    if isinstance(source, StudyConfig):
        return source.model_dump(mode="json"), f"study {source.name}"
    if isinstance(source, Mapping):
        return source, "study"
    path = find_study(str(source))
    load_study(path)  # says what is wrong in the file itself
    return read_settings(path), str(source)


def merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``before`` with ``changes`` on top; what gets another ``name`` is replaced as a whole."""
    result = dict(before)
    for key, value in changes.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and _same_kind(old, value):
            result[key] = merged(old, value)
        else:
            result[key] = value
    return result


def _same_kind(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return "name" not in after or after["name"] == before.get("name")
