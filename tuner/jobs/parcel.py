"""What travels with a job: the study's file, and the module of its own search space."""

import importlib.util
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from search_spaces import SEARCH_SPACES
from tuner.search.spaces import find_search_space
from tuner.storage.directory import write_yaml
from tuner.study import StudyConfig

FILE = "study.yaml"


def entrypoint(python: str, directory: str | Path, desk: Path | None) -> str:
    """The driver's command line on the cluster, for a shell in the folder that travelled.

    Args:
        python: the interpreter.
        directory: of the study, as the cluster calls it.
        desk: where the driver works, a copy of that folder: Ray removes its own as soon as the
            driver leaves the cluster, before it has written its results. None: a temporary one.
    """
    words = [python, "-m", "tuner", "run", FILE, "--directory", str(directory), "--address", "auto"]
    quoted = shlex.quote(str(desk))
    copy = f"mkdir -p {quoted} && cp -r . {quoted} && cd {quoted}"
    if desk is None:
        copy = 'desk=$(mktemp -d) && cp -r . "$desk" && cd "$desk"'
    return f"{copy} && exec {shlex.join(words)}"


@contextmanager
def packed(study: StudyConfig) -> Iterator[Path]:
    """A folder with all that the driver needs and no other machine has.

    Yields:
        The folder; it is gone afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="tuner-submit-") as name:
        folder = Path(name)
        write_yaml(folder / FILE, from_here(study).model_dump(mode="json"))
        if module := own_module(study):
            _copy(module, folder)
        yield folder


def from_here(study: StudyConfig) -> StudyConfig:
    """The same study, with every path absolute: the driver's current folder is another one.

    Paths that begin with ``~`` stay: they are each machine's own.
    """
    content = absolute(study.model_dump())
    content["warm_start"] = [
        str(Path(place).resolve()) if Path(place).exists() else place for place in study.warm_start
    ]
    return StudyConfig.model_validate(content)


def absolute(value: Any) -> Any:
    """Every ``Path`` in nested content made absolute."""
    if isinstance(value, dict):
        return {key: absolute(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [absolute(inner) for inner in value]
    if isinstance(value, Path) and value.parts[:1] != ("~",):
        return value.resolve()
    return value


def own_module(study: StudyConfig) -> Path | None:
    """The file, or the package's folder, of a search space ``module:function`` of the user's own.

    Raises:
        ValueError: if there is no such space.
    """
    if study.search_space in SEARCH_SPACES:
        return None
    find_search_space(study.search_space)  # says what is wrong; finds modules of this folder, too
    top = study.search_space.partition(":")[0].partition(".")[0]
    found = importlib.util.find_spec(top)
    if found is None or found.origin is None:
        return None
    file = Path(found.origin)
    if {"site-packages", "dist-packages"} & set(file.parts):
        return None  # installed, here and there
    return file.parent if found.submodule_search_locations else file


def _copy(module: Path, folder: Path) -> None:
    if module.is_dir():
        # what is hidden is no module: .git, or an .env with passwords in it
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(module, folder / module.name, ignore=ignored)
    else:
        shutil.copy(module, folder)
