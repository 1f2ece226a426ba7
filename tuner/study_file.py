"""Reading study and trial files, with sentences for what is wrong in them."""

from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from trainables.config import TrialConfig
from trainables.frozen import Frozen
from trainables.spelling import unknown
from tuner.explain import explain
from tuner.plain_yaml import MOST_CHARACTERS, parse_yaml
from tuner.secrets import refuse_secrets
from tuner.study import StudyConfig

Model = TypeVar("Model", bound=Frozen)


def shipped_studies() -> dict[str, Path]:
    """The studies that come with the package, by name."""
    folder = Path(str(resources.files("tuner") / "studies"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_study(name: str) -> Path:
    """The file of a study: a path, or the name of a shipped one.

    Raises:
        ValueError: if there is neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    if name in shipped_studies():
        return shipped_studies()[name]
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        raise ValueError(f"study file {name} does not exist; give a .yaml file or a shipped study")
    raise ValueError(unknown("study", name, shipped_studies()))


def load_study(path: Path) -> StudyConfig:
    """A study from its YAML file.

    Raises:
        ValueError: in one sentence, if it is no YAML or no valid study.
    """
    return _load(path, StudyConfig)


def load_trial(path: Path) -> TrialConfig:
    """A trial's config from its YAML or JSON file; a key ``provenance`` means nothing to it.

    Raises:
        ValueError: in one sentence, if it is missing, no YAML or no valid config.
    """
    content = read_settings(path)
    if {"base", "search_space"} & content.keys():
        raise ValueError(
            f"{path} is a study, not a trial; take one of its configs out with: tuner export"
        )
    try:
        refuse_secrets(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return _validated({k: v for k, v in content.items() if k != "provenance"}, path, TrialConfig)


def trial_in(content: Any, path: Path) -> TrialConfig:
    """The trial's config that was found in a file.

    Raises:
        ValueError: in one sentence, if it is not valid.
    """
    return _validated(content, path, TrialConfig)


def _load(path: Path, model: type[Model]) -> Model:
    return _validated(read_settings(path), path, model)


def read_settings(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML or JSON file.

    Raises:
        ValueError: in one sentence, if it is missing, no YAML or holds something else.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the path of a .yaml file")
    if not path.is_file():
        raise ValueError(f"file {path} does not exist; give the path of a .yaml file")
    try:
        content = parse_yaml(_text(path))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold keys and values, got {type(content).__name__}")
    return content


def _text(path: Path) -> str:
    """The text of a file, of which no more is read than settings may have.

    Raises:
        ValueError: if it is none.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(MOST_CHARACTERS + 1)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no text in UTF-8 ({error.reason})") from error


def _validated(content: Any, path: Path, model: type[Model]) -> Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{path}: {explain(error, model)}") from error
