"""The front as files: table, data, picture, page, and a config for each of its points."""

import csv
import io
import json
import re
from pathlib import Path

from tuner.analysis.results import Results
from tuner.analysis.study_tables import differences_table, failures_table
from tuner.analysis.tables import attack_sentence, front_rows
from tuner.diagnosis.correlations import correlation_png, gaps_and_robustness
from tuner.exporting.config_files import config_name, write_config
from tuner.exporting.config_files import export_config as export_config
from tuner.exporting.config_files import load_trial_config as load_trial_config
from tuner.pictures.front_html import front_html
from tuner.pictures.importance import Importances, write_importance_png
from tuner.pictures.parallel_coordinates import parallel_html
from tuner.pictures.png import write_front_png
from tuner.reporting.gains import what_alignment_buys
from tuner.reporting.growth import growth, write_growth_png
from tuner.storage.atomic import write_atomically

OWN_CONFIG = re.compile(r"trial_\d{4,}\.yaml|knee\.yaml")
COLUMNS_BEFORE = ("trial", "on_front", "knee", "label")


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
        write_atomically(directory / "front.csv", front_csv(results)),
        write_atomically(directory / "front.json", front_json(results)),
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
        write_config(results, record, directory / config_name(record)) for record in results.front
    ]
    if results.front:
        written.append(write_config(results, results.knee, directory / "knee.yaml"))
    for path in directory.glob("*.yaml"):
        if OWN_CONFIG.fullmatch(path.name) and path not in written:
            path.unlink()
    return written


def front_csv(results: Results) -> str:
    """The front and the baselines it beats, a line each; see ``front_rows`` for the columns."""
    rows = front_rows(results)
    text = io.StringIO(newline="")
    columns = list(rows[0]) if rows else [*COLUMNS_BEFORE, *results.metrics]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def front_json(results: Results) -> str:
    """The same with objectives, attack and summary, for programs."""
    content = {
        "study": results.study.name,
        "objectives": [objective.model_dump() for objective in results.study.objectives],
        "attack": attack_sentence(results),
        "what_alignment_buys": what_alignment_buys(results),
        "summary": results.summary,
        "trials": front_rows(results),
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
