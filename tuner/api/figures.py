"""Pictures of a study as figure objects: what to draw, and who draws it."""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from trainables.spelling import unknown
from tuner.analysis.results import Results

if TYPE_CHECKING:
    import matplotlib.figure
    import plotly.graph_objects

    Figure: TypeAlias = "plotly.graph_objects.Figure | matplotlib.figure.Figure"
else:
    Figure = Any

Kind = Literal["front", "curves", "parallel_coordinates", "importances", "hypervolume"]
Backend = Literal["plotly", "matplotlib"]


def draw(results: Results, kind: str, backend: str, metric: str | None) -> Figure:
    """A picture of a study.

    Args:
        results: the study.
        kind: what it shows.
        backend: whose figure it is.
        metric: what ``curves`` show; default: the last objective.

    Raises:
        ValueError: for what does not exist, or cannot be drawn yet.
    """
    for what, name, known in (
        ("kind of figure", kind, get_args(Kind)),
        ("backend", backend, get_args(Backend)),
    ):
        if name not in known:
            raise ValueError(unknown(what, name, known))
    if backend == "plotly":
        from tuner.api import in_plotly as drawings
    else:
        from tuner.api import in_matplotlib as drawings  # type: ignore[no-redef]
    if kind == "curves":
        return drawings.curves(results, shown_metric(results, metric))
    if metric is not None:
        raise ValueError(f"metric is for figure('curves'), got {metric!r} for figure({kind!r})")
    return drawings.FIGURES[kind](results)


def shown_metric(results: Results, metric: str | None) -> str:
    """The metric of learning curves.

    Raises:
        ValueError: if no trial has reported it.
    """
    chosen = metric or results.metrics[-1]
    known = {name for record in results.records for report in record.reports for name in report}
    if not known:
        raise ValueError(f"study {results.study.name!r} has no epoch behind it yet")
    if chosen not in known:
        raise ValueError(unknown("metric", chosen, known - {"epoch", "timestamp"}))
    return chosen
