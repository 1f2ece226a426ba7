"""A study's pictures as plotly figures."""

from collections.abc import Callable, Mapping, Sequence
from html import escape

import plotly.graph_objects as go

from tuner.analysis.importance import importances
from tuner.analysis.results import Results
from tuner.analysis.tables import caption
from tuner.api.coordinates import coordinates
from tuner.api.frames import hypervolume_frame
from tuner.pictures.front import FrontPicture, Mark, axis_label, in_unit
from tuner.pictures.front_html import tip
from tuner.quantities import words
from tuner.records import TrialState

RED, GREY, BLUE = "#c8102e", "#a3aab5", "#1f5fa8"
LOOKS = {
    "searched": {"color": GREY, "size": 7, "symbol": "circle"},
    "front": {"color": RED, "size": 11, "symbol": "circle"},
    "baseline": {"color": BLUE, "size": 11, "symbol": "circle-open"},
}


def front(results: Results) -> go.Figure:
    """All complete trials by the first two objectives; hovering shows a trial."""
    picture = FrontPicture(results)
    figure = _figure(results, picture.x.label, picture.y.label)
    if picture.stairs:
        x, y = zip(*picture.stairs, strict=True)
        figure.add_scatter(x=x, y=y, mode="lines", line_color=RED, hoverinfo="skip", name="border")
    for role, look in LOOKS.items():
        marks = [mark for mark in picture.marks if mark.role == role]
        figure.add_trace(_marks(results, marks, role, look))
    figure.add_annotation(text=escape(caption(results)), **BELOW)
    return figure.update_layout(
        xaxis_range=(picture.x.low, picture.x.high), yaxis_range=(picture.y.low, picture.y.high)
    )


BELOW = {
    "xref": "paper", "yref": "paper", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom",
    "showarrow": False, "font_size": 11, "font_color": "#667085",
}  # fmt: skip


def _marks(
    results: Results, marks: Sequence[Mark], role: str, look: Mapping[str, object]
) -> go.Scatter:
    texts = [escape(tip(results, mark.record)).replace("\n", "<br>") for mark in marks]
    return go.Scatter(
        x=[mark.x for mark in marks],
        y=[mark.y for mark in marks],
        customdata=[mark.record.number for mark in marks],
        text=texts,
        hovertemplate="%{text}<extra></extra>",
        mode="markers",
        marker=dict(look),
        name=role,
    )


def curves(results: Results, metric: str) -> go.Figure:
    """A metric over the epochs: the front in red, stopped trials dashed."""
    figure = _figure(results, "epoch", axis_label(metric))
    best = {record.number for record in results.front}
    for record in sorted(results.records, key=lambda record: record.number in best):
        reports = [report for report in record.reports if metric in report]
        figure.add_scatter(
            x=[report["epoch"] for report in reports],
            y=[in_unit(metric, report[metric]) for report in reports],
            mode="lines+markers" if len(reports) == 1 else "lines",
            line={
                "color": RED if record.number in best else GREY,
                "dash": "dash" if record.state == TrialState.stopped else "solid",
                "width": 2 if record.number in best else 1,
            },
            name=f"trial {record.number}, {record.state}",
        )
    return figure.update_layout(showlegend=False, hovermode="closest")


def parallel_coordinates(results: Results) -> go.Figure:
    """Weights, pair and objectives of all complete trials, coloured by the last objective."""
    axes = coordinates(results)
    dimensions = []
    for axis in axes:
        ticks = {"tickvals": axis.ticks, "ticktext": axis.texts} if axis.ticks else {}
        dimensions.append({"label": axis.label, "values": axis.values, **ticks})
    line = {"color": axes[-1].values, "colorscale": "Viridis", "showscale": True}
    line["colorbar"] = {"title": {"text": axes[-1].label, "side": "right"}}
    drawing = go.Parcoords(dimensions=dimensions, line=line)
    return go.Figure(drawing).update_layout(
        template="plotly_white", margin={"l": 90, "r": 40, "t": 60, "b": 40}
    )


def importance_bars(results: Results) -> go.Figure:
    """Share of each parameter in the spread of each objective."""
    figure = _figure(results, "share of the spread, %", "")
    for metric, shares in importances(results).items():
        names = list(shares)[::-1]
        figure.add_bar(
            x=[100 * shares[name] for name in names], y=names, orientation="h", name=words(metric)
        )
    return figure.update_layout(barmode="group", yaxis={"automargin": True})


def hypervolume(results: Results) -> go.Figure:
    """Hypervolume of what is complete, trial by trial."""
    frame = hypervolume_frame(results)
    figure = _figure(results, "complete trials", "hypervolume")
    figure.add_scatter(
        x=frame.index,
        y=frame["hypervolume"],
        customdata=frame["trial"],
        hovertemplate="after trial %{customdata}: %{y:.4f}<extra></extra>",
        mode="lines",
        line={"shape": "hv", "color": RED},
    )
    return figure


def _figure(results: Results, x: str, y: str) -> go.Figure:
    return go.Figure().update_layout(
        template="plotly_white", title=escape(results.study.name), xaxis_title=x, yaxis_title=y
    )


FIGURES: dict[str, Callable[[Results], go.Figure]] = {
    "front": front,
    "parallel_coordinates": parallel_coordinates,
    "importances": importance_bars,
    "hypervolume": hypervolume,
}
