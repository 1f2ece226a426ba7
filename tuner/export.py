"""What a person takes away: the front as files, and configs that train its points again."""

import csv
import io
import json
import re
from pathlib import Path

import yaml

from trainables.config import TrialConfig
from tuner.atomic import write_atomically
from tuner.correlations import correlation_png, gaps_and_robustness
from tuner.front_html import front_html
from tuner.gains import what_alignment_buys
from tuner.growth import growth, write_growth_png
from tuner.importance_picture import Importances, write_importance_png
from tuner.parallel_coordinates import parallel_html
from tuner.plots import write_front_png
from tuner.quantities import attack_name, measured
from tuner.records import TrialRecord
from tuner.results import Results
from tuner.study_tables import differences_table, failures_table
from tuner.tables import attack_sentence, front_rows

OWN_CONFIG = re.compile(r"trial_\d{4,}\.yaml|knee\.yaml")
COLUMNS_BEFORE = ("trial", "on_front", "knee", "label")


def export_config(results: Results, pick: str, path: Path) -> Path:
    """Write one trial's config as YAML that ``tuner train`` takes unchanged.

    Args:
        results: the study.
        pick: see ``Results.pick``.
        path: the file; written whole or not at all.

    Returns:
        ``path``.

    Raises:
        ValueError: if ``pick`` names no complete trial.
    """
    return _write_config(results, results.pick(pick), path)


def load_trial_config(path: Path) -> TrialConfig:
    """The config that a YAML file holds.

    Raises:
        pydantic.ValidationError: if it is not a valid trial config.
    """
    return TrialConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def _write_config(results: Results, record: TrialRecord, path: Path) -> Path:
    header = "".join(f"# {line}\n" for line in _header(results, record, path))
    config = yaml.safe_dump(
        json.loads(json.dumps(record.config)), sort_keys=False, allow_unicode=True
    )
    return write_atomically(path, header + config)


def _header(results: Results, record: TrialRecord, path: Path) -> list[str]:
    seeds = f", means of {record.replicates} seeds" if record.replicates > 1 else ""
    lines = [
        f"study {results.study.name}, trial {record.number} ({record.label})",
        record.pair,
        f"measured on the validation split: {measured(record.values)}{seeds}",
        f"under {attack_name(record.config)}",
        f"train it again: tuner train {path.as_posix()}",
    ]
    # a name may hold anything; a line end would let it out of its comment
    return [
        " ".join("".join(c if c.isprintable() else " " for c in line).split()) for line in lines
    ]


def write_front(
    results: Results, directory: Path, importances: Importances | None = None
) -> list[Path]:
    """Write the front as table, data, picture, page and configs; what has left the front goes.

    Args:
        results: the study, finished or not.
        directory: ``front.csv``, ``front.json``, ``front.png``, ``front.html``,
            ``differences.csv``, ``failures.csv``, ``parallel.html``, what is known of
            ``correlation.png``, ``hypervolume.png``, ``importance.json`` and ``importance.png``,
            and ``configs/`` with ``trial_0007.yaml`` per trial on the front and ``knee.yaml``.
        importances: share of each parameter in the spread of each objective, if it is known.

    Returns:
        The files written, in this order.
    """
    configs = _write_configs(results, directory / "configs")
    return [
        write_atomically(directory / "front.csv", _as_csv(results)),
        write_atomically(directory / "front.json", _as_json(results)),
        write_front_png(results, directory / "front.png"),
        write_atomically(directory / "front.html", front_html(results)),
        write_atomically(directory / "differences.csv", differences_table(results).as_csv()),
        write_atomically(directory / "failures.csv", failures_table(results).as_csv()),
        write_atomically(directory / "parallel.html", parallel_html(results)),
        *_write_correlation(results, directory / "correlation.png"),
        *_write_growth(results, directory / "hypervolume.png"),
        *_write_importances(results, directory, importances or {}),
        *configs,
    ]


def _write_correlation(results: Results, path: Path) -> list[Path]:
    """Robust accuracy against the feature gaps of all trials, where there are three or more."""
    rows = gaps_and_robustness(results)
    if max(len(row.records) for row in rows) < 3:
        return []
    return [write_atomically(path, correlation_png(results, rows))]


def _write_growth(results: Results, path: Path) -> list[Path]:
    """How the hypervolume grew, where there are two moments to compare."""
    moments = growth(results)
    return [write_growth_png(results, moments, path)] if len(moments) > 1 else []


def _write_importances(results: Results, directory: Path, importances: Importances) -> list[Path]:
    if not importances:
        return []
    text = json.dumps(importances, indent=2, allow_nan=False) + "\n"
    return [
        write_atomically(directory / "importance.json", text),
        write_importance_png(results, importances, directory / "importance.png"),
    ]


def _write_configs(results: Results, directory: Path) -> list[Path]:
    written = [
        _write_config(results, record, directory / f"trial_{record.number:04d}.yaml")
        for record in results.front
    ]
    if results.front:
        written.append(_write_config(results, results.knee, directory / "knee.yaml"))
    for path in directory.glob("*.yaml"):
        if OWN_CONFIG.fullmatch(path.name) and path not in written:
            path.unlink()
    return written


def _as_csv(results: Results) -> str:
    rows = front_rows(results)
    text = io.StringIO(newline="")
    columns = list(rows[0]) if rows else [*COLUMNS_BEFORE, *results.metrics]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _as_json(results: Results) -> str:
    content = {
        "study": results.study.name,
        "objectives": [objective.model_dump() for objective in results.study.objectives],
        "attack": attack_sentence(results),
        "what_alignment_buys": what_alignment_buys(results),
        "summary": results.summary,
        "trials": front_rows(results),
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
