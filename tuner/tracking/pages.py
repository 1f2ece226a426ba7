"""Addresses of MLflow's pages: prepared views, comparison of runs, a run and its artifacts."""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from tuner.tracking.client import server_version
from tuner.tracking.study import MlflowStudy

# Without the workflow type, a browser that is new to MLflow lands on a page for chat bots.
WORKFLOW = "workflowType=machine_learning"
FIRST_WITH_VIEWS = (3, 15)
MOST_COMPARED = 24
"""Runs on the comparison page: its address holds each of them, and more are hard to read."""

ON_FRONT = " AND tags.`tuner.front` = 'true'"


class Pages(NamedTuple):
    """Links into MLflow, in the order in which a person wants them.

    Attributes:
        front: the prepared view of the front; the sorted table of trials where there are no views.
        compare: the runs of the front side by side; empty where there are not two.
        study: the study's own run.
        remark: what the server cannot do; empty where it can do everything.
        num_trials: how many of the study's trials MLflow holds.
    """

    front: str
    compare: str
    study: str
    remark: str = ""
    num_trials: int = 0

    @property
    def lines(self) -> list[str]:
        """A line per link, the remark last."""
        named = {"front": self.front, "compare": self.compare, "study": self.study}
        links = [f"{name + ':':<8} {address}" for name, address in named.items() if address]
        return [*links, *filter(None, [self.remark])]


def view_id(kind: str, run_id: str) -> str:
    """Identity of a study's view: its kind and the study's run."""
    return f"{kind}-{run_id[:8]}"


def view_url(base: str, experiment_id: str, run_id: str, *, kind: str) -> str:
    """The address of a prepared view; ``base`` may be empty for a link from inside MLflow."""
    return (
        f"{base}#/experiments/{experiment_id}/runs?{WORKFLOW}"
        f"&compareRunsMode=CHART&viewStateShareKey={view_id(kind, run_id)}"
    )


def trials_url(base: str, experiment_id: str, run_id: str) -> str:
    """The table of a study's complete trials, the front first; for servers without views."""
    where = quote(f"tags.`mlflow.parentRunId` = '{run_id}' AND attributes.status = 'FINISHED'")
    rank = quote("metrics.`pareto/rank`")
    return (
        f"{base}#/experiments/{experiment_id}/runs?{WORKFLOW}"
        f"&searchFilter={where}&orderByKey={rank}&orderByAsc=true"
    )


def run_url(base: str, experiment_id: str, run_id: str) -> str:
    """The address of a run."""
    return f"{base}#/experiments/{experiment_id}/runs/{run_id}?{WORKFLOW}"


def artifact_url(base: str, experiment_id: str, run_id: str, path: str) -> str:
    """The address at which MLflow shows a file of a run."""
    return run_url(base, experiment_id, f"{run_id}/artifacts/{path}")


def compare_url(base: str, experiment_id: str, run_ids: Sequence[str]) -> str:
    """The address of runs side by side; of many, ``MOST_COMPARED`` spread over them.

    Returns:
        The address; empty with fewer than two runs.
    """
    if len(run_ids) < 2:
        return ""
    steps = min(len(run_ids), MOST_COMPARED) - 1
    spread = [run_ids[round(i * (len(run_ids) - 1) / steps)] for i in range(steps + 1)]
    runs = quote(json.dumps(spread, separators=(",", ":")))
    experiments = quote(json.dumps([experiment_id]))
    return f"{base}#/compare-runs?runs={runs}&experiments={experiments}&{WORKFLOW}"


def pages(study: MlflowStudy, base: str) -> Pages:
    """Links for a browser to a study, given the server's address."""
    base = f"{base.rstrip('/')}/"
    ids = base, study.experiment_id, study.run_id
    members = [run.info.run_id for run in study.children(ON_FRONT)]
    remark = lack_of_views(server_version(study.client.tracking_uri))
    front = trials_url(*ids) if remark else view_url(*ids, kind="front")
    compare = compare_url(base, study.experiment_id, members)
    return Pages(front, compare, run_url(*ids), remark, study.num_trials)


def lack_of_views(version: str) -> str:
    """Why a server does not show prepared views, in a sentence; empty if it does.

    Args:
        version: of the server, ``3.17.2``; empty where it does not say.
    """
    found = re.match(r"(\d+)\.(\d+)", version)
    if found and (int(found[1]), int(found[2])) >= FIRST_WITH_VIEWS:
        return ""
    least = ".".join(map(str, FIRST_WITH_VIEWS))
    has = f"the server has {version}" if version else "the server does not say its version"
    return f"prepared views need MLflow {least} or later, {has}: the link leads to a table instead"
