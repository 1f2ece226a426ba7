"""What ``tuner export`` does: find the pick, choose the file, write it, say how to go on."""

import re
from pathlib import Path
from shlex import quote

from rich.console import Console

from tuner.exporting.config_files import Format, refuse_to_replace, write_config, write_configs
from tuner.showing import results_of
from tuner.storage.directory import StudyDirectory
from tuner.verification.measured import Verification, load_verification
from tuner.verification.picks import Numbers, choose, choose_front

FOLDER = "exported"


def export_pick(
    directory: StudyDirectory,
    pick: str,
    output: Path | None,
    console: Console,
    *,
    form: Format | None = None,
    on: Numbers | None = None,
) -> None:
    """Write one config of a study, picked on verified numbers where there are any.

    Args:
        directory: the study's.
        pick: see ``picks.pick``.
        output: a file, or a folder that is there; None: ``exported/`` in the study's.
        console: where to say what was written.
        form: None: as the file's name ends, else YAML.
        on: the numbers to pick on; None: verified ones, if there are any.

    Raises:
        ValueError: if nothing can be picked so, the file's name ends in another format, or
            ``output`` is a file that holds something else.
        OSError: if it cannot be written.
    """
    results = results_of(directory)
    found = _verification(directory, on)
    chosen = choose(results, pick, found, on)
    record = chosen.record
    path = place(output or directory.path / FOLDER, f"{slug(pick)}.{form or 'yaml'}", form)
    if output is not None:
        refuse_to_replace(path)
    try:
        write_config(results, record, path, found)
    except OSError as error:
        raise unwritable(path, error) from error
    console.print(f"trial {record.number} ({record.pair}) is the pick {pick!r}", markup=False)
    console.print(chosen.sentence, markup=False, soft_wrap=True)
    console.print(f"train it with: tuner train {quote(str(path))}", soft_wrap=True, markup=False)


def _verification(directory: StudyDirectory, on: Numbers | None) -> Verification | None:
    """The study's verification; not even read where validation numbers are asked for."""
    return None if on == "validation" else load_verification(directory.path)


def export_members(
    directory: StudyDirectory,
    output: Path | None,
    console: Console,
    *,
    form: Format | None,
    on: Numbers | None = None,
) -> None:
    """Write the configs of all members of a study's front into a folder.

    Raises:
        ValueError: if there is no front on these numbers, or ``output`` is no folder.
        OSError: if it cannot be written.
    """
    results = results_of(directory)
    found = _verification(directory, on)
    members, used = choose_front(results, found, on)
    folder = output or directory.path / FOLDER
    if folder.is_file() or folder.suffix in {".yaml", ".yml", ".json"}:
        raise ValueError(f"--all writes a file per trial into a folder, got the file {folder}")
    try:
        paths = write_configs(results, members, folder, form or "yaml", found=found)
    except OSError as error:
        raise unwritable(folder, error) from error
    console.print(f"the front on {used} numbers:", markup=False)
    for record, path in zip(members, paths, strict=True):
        console.print(
            f"trial {record.number} ({record.pair}): {path}", soft_wrap=True, markup=False
        )
    console.print(
        f"train one with: tuner train {quote(str(paths[0]))}", soft_wrap=True, markup=False
    )


def place(output: Path, name: str, form: Format | None) -> Path:
    """The file to write: ``output`` itself, or ``name`` in it where it is a folder.

    What is not there yet is a folder if its name has no ending.

    Raises:
        ValueError: if the file's name ends in another format than ``form``, or in none.
    """
    if output.is_dir() or (not output.suffix and not output.exists()):
        return output / name
    ending = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}.get(output.suffix)
    if ending is None:
        raise ValueError(
            f"--output {output} must be a folder, or a file that ends in .yaml, .yml or .json"
        )
    if form is not None and ending != form:
        raise ValueError(
            f"--output {output} ends as {ending}, but --format is {form}; name a file that ends "
            f"in .{form}, or leave --format out"
        )
    return output


def unwritable(path: Path, error: OSError) -> OSError:
    """One sentence: what cannot be written, why, and what to do."""
    reason = error.strerror or error
    return OSError(f"cannot write {path} ({reason}); name another place with --output")


def slug(pick: str) -> str:
    """A pick as a file name: ``robust>=0.4`` becomes ``robust-at-least-0.4``."""
    words = pick.replace(" ", "").replace(">=", "-at-least-").replace(">", "-above-")
    return re.sub(r"[^\w.-]", "-", words)
