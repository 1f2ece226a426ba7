"""Which study a person means: by its directory, its name, or how the name begins."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainables.spelling import unknown
from trainables.storage.urls import completed, is_url, name_of, parent
from tuner.storage.directory import StudyDirectory
from tuner.storage.working_copy import WorkingCopy

RUNS = Path("runs")
"""Where studies live unless their user says otherwise."""

NAME = re.compile(r"^name: ['\"]?([^'\"\n]+?)['\"]?$", flags=re.MULTILINE)


def find_directory(name: str | Path, root: Path = RUNS) -> StudyDirectory:
    """The study that a person means.

    Args:
        name: a study's directory or URL; else the name of a folder in ``root``, else of a study in
            one; else the beginning of such a name, if no other begins so.
        root: folder of studies.

    Raises:
        ValueError: if no study or several are meant; it names them, or the nearest.
        ConnectionError: if the store of a URL does not answer.
    """
    if is_url(name):
        return _require_study(directory_at(name))
    for place in (StudyDirectory(Path(name)), StudyDirectory(root / name)):
        if place.config.is_file():
            return directory_at(place.path)
    known = known_studies(root)
    if str(name) in known:
        return _only(str(name), known[str(name)])
    beginning = {path for key in known if key.startswith(str(name)) for path in known[key]}
    if beginning and str(name):
        return _only(str(name), beginning)
    raise ValueError(_not_there(str(name), known, root))


def directory_at(place: str | Path) -> StudyDirectory:
    """The directory at a path or a URL, whether a study lives there or not.

    Of a URL, it is this machine's copy, with all that is new there; of one that is being run from
    here, the driver keeps it so.

    Raises:
        ValueError: if the URL cannot be used.
        ConnectionError: if its store does not answer.
    """
    url = is_url(place)
    directory = StudyDirectory(WorkingCopy.at(str(place)).path if url else Path(place))
    if directory.copy and not directory.is_locked:
        directory.copy.pull()
    return directory


@contextmanager
def opened(name: str) -> Iterator[StudyDirectory]:
    """As :func:`find_directory`, for a verb that writes: at a URL, what it wrote is put there.

    Also if the verb is stopped by an error or Ctrl-C.
    """
    directory = find_directory(name)
    try:
        yield directory
    finally:
        if directory.copy:
            directory.copy.put()


def _require_study(directory: StudyDirectory) -> StudyDirectory:
    if not directory.config.is_file():
        above = parent(directory.home).partition("?")[0]
        raise ValueError(f"{directory} holds no study; list the studies with: tuner ls {above}")
    return directory


def path_at(target: str) -> Path:
    """A path as it is; the URL of a study or of one of its trials as this machine's copy of it.

    Of a trial's URL, ``<study>/trials/0007``, its checkpoint is brought here.

    Raises:
        ValueError: if the URL cannot be used.
        ConnectionError: if its store does not answer.
    """
    if not is_url(target):
        return Path(target)
    url = completed(target)
    trial, trials = name_of(url), parent(url)
    if name_of(trials) != "trials" or not trial.isdigit():
        return directory_at(target).path
    return directory_at(parent(trials)).trial_file(int(trial), "checkpoint.pt").parent


def path_or_study(target: str) -> Path:
    """A path as it is; what is no path, but could be a study's name, as that study's directory.

    Raises:
        ValueError: if it is neither.
    """
    path = path_at(target)
    is_path = path.exists() or len(path.parts) > 1 or path.suffix
    return path if is_path else find_directory(target).path


def known_studies(root: Path) -> dict[str, set[Path]]:
    """Directories of the studies in a folder by the names that they go by."""
    known: dict[str, set[Path]] = {}
    for file in sorted(root.glob("*/study.yaml")):
        for name in (file.parent.name, _name_in(file)):
            known.setdefault(name, set()).add(file.parent)
    return known


def _name_in(file: Path) -> str:
    """The study's name, without validating the rest of the file; else its folder's."""
    found = NAME.search(file.read_text(encoding="utf-8", errors="replace"))
    return found[1] if found else file.parent.name


def _only(name: str, found: set[Path]) -> StudyDirectory:
    if len(found) > 1:
        places = ", ".join(sorted(map(str, found)))
        raise ValueError(f"{name!r} may mean {len(found)} studies: {places}; write more of one")
    return StudyDirectory(next(iter(found)))


def _not_there(name: str, known: dict[str, set[Path]], root: Path) -> str:
    if not known:
        return f"{name} holds no study, nor does {root}; start one with: tuner run digits"
    if len(Path(name).parts) != 1:
        folders = ", ".join(sorted({str(path) for paths in known.values() for path in paths})[:12])
        return f"{name} holds no study; {root} holds {folders}; list them with: tuner ls"
    return f"{unknown('study', name, known)}; list them with: tuner ls"
