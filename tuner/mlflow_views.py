"""Prepared views: saved tables and charts that MLflow's page opens by one link.

A saved view is an experiment tag in MLflow's own, undocumented format (MLflow 3.15 and later);
``tests/end_to_end/test_mlflow_pages.py`` looks at each of them in a real browser.
"""

import base64
import hashlib
import json
import zlib
from typing import Any

from tuner.mlflow_client import MlflowClient
from tuner.mlflow_records import final_name
from tuner.records import SYMBOLS
from tuner.study import StudyConfig

TAG = "mlflow.sharedViewState."
OURS = "tuner.view."
"""Before a view's name: the tag that remembers a digest of the view as we wrote it."""

NOTE = "mlflow.note.content"
FILES = "Tables, pictures and configs of the front are under *Artifacts* when the study has ended."

State = dict[str, Any]
WEIGHTS = list(SYMBOLS)
RANK = "metrics.`pareto/rank`"
SECTION = "tuner"
COLLAPSED = ("cost", "final", "pareto", "train", "val")
"""Where MLflow puts the charts that it draws of every metric by itself."""


def view_id(kind: str, run_id: str) -> str:
    """Identity of a study's view; the kinds are ``front``, ``best``, ``weights`` and ``curves``."""
    return f"{kind}-{run_id[:8]}"


def view_url(base: str, experiment_id: str, run_id: str, *, kind: str) -> str:
    """The address of a prepared view; ``base`` may be empty for a link from inside MLflow."""
    # Without the workflow type, a browser that is new to MLflow lands on a page for chat bots.
    return (
        f"{base}#/experiments/{experiment_id}/runs?workflowType=machine_learning"
        f"&compareRunsMode=CHART&viewStateShareKey={view_id(kind, run_id)}"
    )


def run_url(base: str, experiment_id: str, run_id: str) -> str:
    """The address of the study's own run."""
    return f"{base}#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"


def write(client: MlflowClient, experiment_id: str, run_id: str, study: StudyConfig) -> None:
    """Write the study's views, except those that a person has changed or deleted."""
    experiment = client.get_experiment(experiment_id)
    newest = experiment.creation_time or 0
    # MLflow lists the newest view first; the order here is ours.
    for age, (kind, (name, state)) in enumerate(_views(study, run_id).items()):
        view = view_id(kind, run_id)
        value = _pack(name, state, newest - age)
        there = experiment.tags.get(TAG + view, "")
        untouched = experiment.tags.get(OURS + view, _digest("")) == _digest(there)
        if untouched and there != value:
            client.set_experiment_tag(experiment_id, TAG + view, value)
            client.set_experiment_tag(experiment_id, OURS + view, _digest(value))


def describe(client: MlflowClient, experiment_id: str, run_id: str, study: StudyConfig) -> None:
    """Write what the study is, with links to its views, above its run; a person's text stays."""
    if NOTE in client.get_run(run_id).data.tags:
        return
    links = [
        f"- [{name}]({view_url('', experiment_id, run_id, kind=kind)})"
        for kind, (name, _) in _views(study, run_id).items()
    ]
    paragraphs = [study.description, "\n".join(links), FILES]
    client.set_tag(run_id, NOTE, "\n\n".join(filter(None, paragraphs)))


def _pack(name: str, state: State, created: int) -> str:
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    envelope = {"name": name, "createdAt": created, "updatedAt": created}
    return json.dumps({**envelope, "state": f"deflate;{packed}"})


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:16]


def _views(study: StudyConfig, run_id: str) -> dict[str, tuple[str, State]]:
    objectives = [objective.metric for objective in study.objectives]
    finals = [final_name(metric) for metric in objectives]
    words = " vs ".join(name.partition("/")[2].replace("_", " ") for name in finals)
    words = words.replace("clean accuracy vs robust accuracy", "clean vs robust accuracy")
    trials = f"tags.`mlflow.parentRunId` = '{run_id}'"
    finished = f"{trials} AND attributes.status = 'FINISHED'"
    scatter = _scatter(finals[0], finals[-1])
    views = {
        "front": (f"Pareto front: {words}", finished, [scatter]),
        "best": ("Front only", f"{trials} AND tags.`tuner.front` = 'true'", [scatter]),
        "weights": ("Weights against objectives", finished, [_parallel(finals)]),
        "curves": (
            "Learning curves",
            trials,
            [_line(metric) for metric in (*objectives, "train/loss")],
        ),
    }
    prefix = "" if study.tracking.experiment is None else f"{study.name}: "
    return {
        kind: (prefix + name, _state(where, charts, _columns(finals), name))
        for kind, (name, where, charts) in views.items()
    }


def _columns(finals: list[str]) -> list[str]:
    shown = {
        "metrics": [*finals, "pareto/rank"],
        "params": ["teacher", "student", *WEIGHTS],
        "tags": ["tuner.state", "tuner.label", "tuner.reason"],
    }
    return [f"{kind}.`{name}`" for kind, columns in shown.items() for name in columns]


def _axis(metric: str) -> State:
    return {"key": metric, "type": "METRIC"}


def _scatter(x: str, y: str) -> State:
    return {"type": "SCATTER", "xaxis": _axis(x), "yaxis": _axis(y)}


def _parallel(finals: list[str]) -> State:
    return {
        "type": "PARALLEL",
        "selectedParams": WEIGHTS,
        "selectedMetrics": finals,
        "showAllRuns": False,
    }


def _line(metric: str) -> State:
    return {
        "type": "LINE",
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "lineSmoothness": 0,
        "xAxisKey": "step",
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "range": {},
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "selectedXAxisMetricKey": "",
        "useGlobalXaxisKey": False,
        "useGlobalLineSmoothing": False,
    }


def _state(where: str, charts: list[State], columns: list[str], title: str) -> State:
    """The page as MLflow saves it: which runs, in which order, with which columns and charts."""
    chart = {"metricSectionId": SECTION, "deleted": False, "isGenerated": False}
    shown = {"uuid": SECTION, "name": title, "display": True}
    shown |= {"columns": min(len(charts), 2), "cardHeight": 460}
    collapsed = [{"uuid": name, "name": name, "display": False} for name in COLLAPSED]
    return {
        "searchFilter": where,
        # Sorting by time would fold all trials under the study's run and empty the charts.
        "orderByKey": RANK,
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "columnOrder": columns,
        "columnWidths": {},
        "runsHiddenMode": "SHOW_ALL",
        "compareRunSections": [
            {**section, "isReordered": True, "deleted": False, "isGenerated": False}
            for section in [shown, *collapsed]
        ],
        "compareRunCharts": [
            {**chart, "runsCountToCompare": 1000, "uuid": f"{SECTION}-{index}", **settings}
            for index, settings in enumerate(charts)
        ],
        "isAccordionReordered": True,
        "viewMaximized": False,
        "runListHidden": False,
        "hideEmptyCharts": True,
        "useGroupedValuesInCharts": False,
        "groupBy": None,
        "groupsExpanded": {},
        "chartsSearchFilter": "",
        "globalLineChartConfig": {
            "xAxisKey": "step",
            "lineSmoothness": 0,
            "selectedXAxisMetricKey": "",
        },
    }
