"""Configs that train the points of a front again, as files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from trainables.config import TrialConfig
from tuner.analysis.picks import pick
from tuner.analysis.results import Results
from tuner.exporting.commented_yaml import commented
from tuner.exporting.provenance import KEY, Provenance, as_comments, provenance_of
from tuner.records import TrialRecord
from tuner.storage.atomic import write_atomically
from tuner.study_file import load_trial
from tuner.verification.measured import Verification

Format = Literal["yaml", "json"]


def export_config(results: Results, which: str, path: Path) -> Path:
    """Write one trial's config as a file that ``tuner train`` takes unchanged.

    Args:
        results: the study.
        which: see ``picks.pick``.
        path: the file, JSON if its name ends so and YAML otherwise; written whole or not at all.

    Returns:
        ``path``.

    Raises:
        ValueError: if ``which`` names no complete trial.
    """
    return write_config(results, pick(results, which), path)


def write_configs(
    results: Results,
    records: Sequence[TrialRecord],
    folder: Path,
    form: Format = "yaml",
    *,
    found: Verification | None = None,
) -> list[Path]:
    """Write the configs of trials, a file each, named after their numbers."""
    return [
        write_config(results, record, (folder / config_name(record)).with_suffix(f".{form}"), found)
        for record in records
    ]


def config_name(record: TrialRecord) -> str:
    """``trial_0007.yaml``."""
    return f"trial_{record.number:04d}.yaml"


def load_trial_config(path: Path) -> TrialConfig:
    """The config that a file holds.

    Raises:
        ValueError: in one sentence, if it is missing or holds no valid config.
    """
    return load_trial(path)


def refuse_to_replace(path: Path) -> None:
    """See that a file that somebody names to write a config to is not something else already.

    Raises:
        ValueError: if it is there and holds no trial's config, as a study's own file does.
    """
    if not path.exists():
        return
    try:
        load_trial(path)
    except ValueError as error:
        raise ValueError(
            f"{path} is there and is no trial's config, so it is not overwritten; name another file"
        ) from error


def write_config(
    results: Results, record: TrialRecord, path: Path, found: Verification | None = None
) -> Path:
    """Write a trial's config with its provenance, verified numbers included where there are any."""
    config: dict[str, Any] = json.loads(json.dumps(record.config))
    provenance = provenance_of(results, record, found)
    if path.suffix == ".json":
        return write_atomically(path, _as_json(config, provenance))
    return write_atomically(path, config_text(config, provenance, path))


def _as_json(config: Mapping[str, Any], provenance: Provenance) -> str:
    return json.dumps({KEY: provenance.model_dump(mode="json"), **config}, indent=2) + "\n"


def config_text(config: Mapping[str, Any], provenance: Provenance | None, path: Path) -> str:
    """A config as YAML with a comment on every field, under a header.

    Args:
        config: JSON types, nested.
        provenance: where it comes from; None where nothing is known.
        path: where it will be, which the header names.
    """
    lines = provenance.sentences() if provenance else []
    lines.append(f"train it again: tuner train {quote(path.as_posix())}")
    # a name may hold anything; a line end would let it out of its comment
    printable = ("".join(c if c.isprintable() else " " for c in line) for line in lines)
    header = "".join(f"# {' '.join(line.split())}\n" for line in printable)
    origin = f"#\n{as_comments(provenance)}" if provenance else ""
    body = commented(config, TrialConfig.model_validate(dict(config)))
    return f"{header}{origin}\n{body}"
