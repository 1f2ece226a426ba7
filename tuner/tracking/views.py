"""Prepared views: saved tables and charts that MLflow's page opens by one link.

A saved view is an experiment tag in MLflow's own, undocumented format (MLflow 3.15 and later);
``tests/end_to_end/test_mlflow_pages.py`` looks at each of them in a real browser.
"""

import base64
import hashlib
import itertools
import json
import logging
import zlib
from typing import Any

from search_spaces import explore
from trainables.alignments import ALIGNMENTS
from tuner.records import SYMBOLS
from tuner.search.spaces import find_search_space
from tuner.study import StudyConfig
from tuner.tracking.client import MlflowClient, MlflowException, is_passing
from tuner.tracking.pages import ON_FRONT, view_id
from tuner.tracking.records import final_name

logger = logging.getLogger(__name__)

TAG = "mlflow.sharedViewState."
OURS = "tuner.view."
"""Before a view's name: the tag that remembers a digest of the view as we wrote it."""

State = dict[str, Any]
RANK = "metrics.`pareto/rank`"
SECTION = "tuner"
COLLAPSED = ("cost", "final", "log10", "mean", "pareto", "train", "val")
"""Where MLflow puts the charts that it draws of every metric by itself."""


def write(
    client: MlflowClient, experiment_id: str, run_id: str, study: StudyConfig, *, name: str
) -> None:
    """Write the study's views, except those that a person has changed or deleted.

    Args:
        client: of the store.
        experiment_id: the study's experiment, which others may share.
        run_id: the study's run.
        study: names objectives and space.
        name: of the study's run; views begin with it unless the experiment is called so, too.
    """
    experiment = client.get_experiment(experiment_id)
    newest = experiment.creation_time or 0
    # MLflow lists the newest view first; the order here is ours.
    for age, (kind, (title, state)) in enumerate(_views(study, run_id, name).items()):
        view = view_id(kind, run_id)
        value = _pack(title, state, newest - age)
        there = experiment.tags.get(TAG + view, "")
        untouched = experiment.tags.get(OURS + view, digest("")) == digest(there)
        if untouched and there != value:
            _write(client, experiment_id, view, value)


def _write(client: MlflowClient, experiment_id: str, view: str, value: str) -> None:
    try:
        client.set_experiment_tag(experiment_id, TAG + view, value)
        client.set_experiment_tag(experiment_id, OURS + view, digest(value))
    except MlflowException as error:
        if is_passing(error):
            raise
        # an old server takes shorter tags only; the study does not need its views
        logger.warning("MLflow refuses the view %s: %s", view, error)


def names(study: StudyConfig, run_id: str, name: str) -> dict[str, str]:
    """The names of a study's views by kind, in the order in which MLflow lists them."""
    return {kind: title for kind, (title, _) in _views(study, run_id, name).items()}


def shown_name(study: StudyConfig, metric: str) -> str:
    """The metric that stands for an objective of a config: of its one trial, or over its seeds."""
    final = final_name(metric)
    return final if study.replicates == 1 else final.replace("final/", "mean/", 1)


def searched_weights(study: StudyConfig) -> list[str]:
    """Symbols of the alignment weights that the search space varies; all, where it varies none."""
    try:
        space = find_search_space(study.search_space)
        teachers = sorted(study.teachers)
        varied = explore(space, ranges=study.ranges, fixed=study.fixed, teachers=teachers)
    except ValueError:  # a space of the user's own that is not importable from here
        return list(SYMBOLS)
    found = [t.symbol for n, t in ALIGNMENTS.items() if f"alignments/{n}/weight" in varied]
    return found or list(SYMBOLS)


def _pack(name: str, state: State, created: int) -> str:
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    envelope = {"name": name, "createdAt": created, "updatedAt": created}
    return json.dumps({**envelope, "state": f"deflate;{packed}"})


def digest(value: str) -> str:
    """What we remember of a text that a person may change."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]


def _views(study: StudyConfig, run_id: str, name: str) -> dict[str, tuple[str, State]]:
    objectives = [objective.metric for objective in study.objectives]
    shown = [shown_name(study, metric) for metric in objectives]
    weights = [f"log10/{symbol}" for symbol in searched_weights(study)]
    trials = f"tags.`mlflow.parentRunId` = '{run_id}'"
    # of a config with several seeds, only the first trial has a rank
    complete = "attributes.status = 'FINISHED'" if study.replicates == 1 else f"{RANK} >= 0"
    finished, front = f"{trials} AND {complete}", trials + ON_FRONT
    curves = [_line(metric) for metric in (*objectives, "train/loss")]
    views = {
        "front": (f"Pareto front: {_title(shown)}", finished, _against(shown)),
        "best": ("Front only", front, _against(shown)),
        "differences": ("Differences among the front", front, [_difference()]),
        "weights": ("Weights against objectives", finished, [_parallel([*weights, *shown])]),
        "curves": ("Learning curves", trials, curves),
    }
    prefix = "" if name == (study.tracking.experiment or study.name) else f"{name}: "
    return {
        kind: (prefix + title, _state(where, charts, _columns(shown), title))
        for kind, (title, where, charts) in views.items()
    }


def _title(shown: list[str]) -> str:
    words = " vs ".join(name.partition("/")[2].replace("_", " ") for name in shown)
    return words.replace("clean accuracy vs robust accuracy", "clean vs robust accuracy")


def _columns(shown: list[str]) -> list[str]:
    columns = {
        "metrics": [*shown, "pareto/rank"],
        "attributes": ["Duration"],
        "tags": ["tuner.method", "tuner.pair", "tuner.state", "tuner.label", "tuner.reason"],
        "params": SYMBOLS,
    }
    return [f"{kind}.`{name}`" for kind, named in columns.items() for name in named]


def _axis(metric: str) -> State:
    return {"key": metric, "type": "METRIC"}


def _against(metrics: list[str]) -> list[State]:
    """A scatter per pair of metrics; of a single one, a bar per run."""
    if len(metrics) == 1:
        return [{"type": "BAR", "metricKey": metrics[0]}]
    return [
        {"type": "SCATTER", "xaxis": _axis(x), "yaxis": _axis(y)}
        for x, y in itertools.combinations(metrics, 2)
    ]


def _difference() -> State:
    return {
        "type": "DIFFERENCE",
        "chartName": "What differs",
        "compareGroups": ["Parameters", "Model metrics"],
        "showChangeFromBaseline": False,
        "showDifferencesOnly": True,
        "baselineColumnUuid": "",
    }


def _parallel(metrics: list[str]) -> State:
    return {
        "type": "PARALLEL",
        "selectedParams": [],
        "selectedMetrics": metrics,
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
