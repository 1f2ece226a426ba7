"""What stands above a study's run in MLflow: links in the order a person wants them, the front."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import escape

from tuner.analysis.results import Results
from tuner.analysis.tables import caption
from tuner.quantities import measured, short, weight, written
from tuner.records import TrialRecord
from tuner.tracking import pages as mlflow_pages
from tuner.tracking import views as mlflow_views
from tuner.tracking.client import RunTag
from tuner.tracking.study import MlflowStudy

NOTE = "mlflow.note.content"
OURS = "tuner.note"
"""The tag that remembers a digest of the text as we wrote it."""

MOST_LISTED = 12
"""Members of the front in the text, which MLflow keeps to 8,000 characters."""

FILES = {
    "front/front.html": "interactive front",
    "report.html": "report",
    "front/parallel.html": "parameters",
    "front/hypervolume.png": "hypervolume over time",
    "front/importance.png": "importance",
    "front/correlation.png": "feature gaps",
    "failures/table.json": "failures",
}


@dataclass(frozen=True)
class Findings:
    """What a study has come to, and where MLflow has it.

    Attributes:
        results: the study.
        runs: id of each trial's run by number.
        files: paths of the artifacts of the study's run.
    """

    results: Results
    runs: Mapping[int, str]
    files: Collection[str]


def write_note(mlflow: MlflowStudy, found: Findings | None = None) -> None:
    """Write what the study is and has come to, unless a person has written there."""
    tags = mlflow.client.get_run(mlflow.run_id).data.tags
    there = tags.get(NOTE, "")
    changed_by_person = there and tags.get(OURS) != mlflow_views.digest(there)
    if changed_by_person or (there and found is None):  # what is there says more
        return
    text = note(mlflow, found)
    if text != there:
        changes = {NOTE: text, OURS: mlflow_views.digest(text)}
        mlflow.client.log_batch(mlflow.run_id, tags=[RunTag(*item) for item in changes.items()])


def note(mlflow: MlflowStudy, found: Findings | None) -> str:
    """The text, as Markdown; MLflow folds what comes after its first lines."""
    here = "", mlflow.experiment_id, mlflow.run_id
    kinds = mlflow_views.names(mlflow.study, mlflow.run_id, mlflow.name)
    links = {name: mlflow_pages.view_url(*here, kind=kind) for kind, name in kinds.items()}
    description = _plain(mlflow.study.description)
    if found is None or not found.results.complete:
        return "\n\n".join(filter(None, [_linked(links), description]))
    members = [found.runs[r.number] for r in found.results.front if r.number in found.runs]
    if compare := mlflow_pages.compare_url("", mlflow.experiment_id, members):
        first, *rest = links.items()
        links = dict([first, ("Compare the front", compare), *rest])
    files = {
        name: mlflow_pages.artifact_url(*here, path)
        for path, name in FILES.items()
        if path in found.files
    }
    parts = [_linked(links), _linked(files), description, _state(found.results)]
    return "\n\n".join(filter(None, [*parts, _front(mlflow.experiment_id, found)]))


def _linked(links: Mapping[str, str]) -> str:
    return " · ".join(f"[{name}]({address})" for name, address in links.items())


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is, and that holds no tag."""
    words = escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]#|!~])", r"\\\1", words)


def _state(results: Results) -> str:
    ended = {"failed": results.failed, "stopped early": results.stopped}
    counts = "".join(f", {len(records)} {how}" for how, records in ended.items() if records)
    complete = int(results.summary["trials/complete"])
    return (
        f"{complete} of {results.study.trials} trials complete{counts}. "
        f"Hypervolume {results.hypervolume:.4g}. Knee: trial {results.knee.number}, "
        f"{measured(results.knee.values)}. {_plain(caption(results))}"
    )


def _front(experiment_id: str, found: Findings) -> str:
    """The front as a table whose trials lead to their runs."""
    results = found.results
    head = ["trial", *map(short, results.metrics), "teacher > student", "method", "weights"]
    rows = [_row(experiment_id, found, record) for record in results.front[:MOST_LISTED]]
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    more = len(results.front) - len(rows)
    return table + (f"\n\n… and {more} more on the front." if more else "")


def _row(experiment_id: str, found: Findings, record: TrialRecord) -> list[str]:
    name = str(record.number)
    if record.number in found.runs:
        address = mlflow_pages.run_url("", experiment_id, found.runs[record.number])
        name = f"[trial {record.number}]({address})"
    knee = ", knee" if record.number == found.results.knee.number else ""
    values = [written(metric, record.values[metric]) for metric in found.results.metrics]
    on = [f"{symbol} {weight(value)}" for symbol, value in record.weights.items() if value]
    method = str(record.config["method"]["name"])
    return [name + knee, *values, *map(_plain, (record.pair, method, ", ".join(on) or "-"))]
