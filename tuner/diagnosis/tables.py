"""A diagnosis as tables for people, and as JSON."""

import math
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

from trainables.diagnostics.bound import MeasuredBound
from trainables.diagnostics.correlation import correlation
from trainables.diagnostics.sweep import EpsilonRow
from tuner.diagnosis.measures import Diagnosis
from tuner.quantities import attack_name, radius

RADII = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
"""L2 radii at which certified accuracy is tabulated."""

BOUND_ROWS = {
    "largest measured |l_S - l_T| (left side)": "left",
    "|l_S - l_T| at the image": "loss_gap",
    "epsilon x norm of the gradients' difference": "gradient_term",
    "local linearity of the student": "student_gamma",
    "local linearity of the teacher": "teacher_gamma",
    "sum of the four terms (right side)": "right",
}


def diagnosis_tables(found: Diagnosis) -> list[Table | str]:
    """What the terminal shows, in order."""
    head = f"{found.student.path}: {len(found.images)} {found.split} images"
    shown: list[Table | str] = [head, _gaps_table(found)]
    shown += [f"{name}: {line}" for name, line in _correlations(found).items()]
    shown.append(_facts_table(found))
    if found.bound is not None:
        shown.append(_bound_table(found.bound))
    if found.certificates:
        shown.append(_certified_table(found))
    return shown


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _gaps_table(found: Diagnosis) -> Table:
    config = found.student.config.model_dump(mode="json")
    attack = attack_name(config).rpartition(" epsilon ")[0]
    columns = ("network", "epsilon", "robust %", "variance gap", "covariance gap", "Gram gap")
    table = _table(f"Gaps of pooled features, relative; {attack}", *columns)
    for name, rows in found.rows.items():
        for row in rows:
            gaps = (row.gaps.relative_variance, row.gaps.covariance, row.gaps.gram)
            shown = [f"{value:.3f}" for value in gaps]
            table.add_row(name, radius(row.epsilon), f"{100 * row.robust_accuracy:.1f}", *shown)
        table.add_section()
    return table


def _correlations(found: Diagnosis) -> dict[str, str]:
    """Of robust accuracy with the gaps over epsilon, in words."""
    return {
        f"robust accuracy against the {gap} gap over epsilon, {name}": _correlation(rows, gap)
        for name, rows in found.rows.items()
        for gap in ("variance", "Gram")
    }


def _correlation(rows: list[EpsilonRow], gap: str) -> str:
    values = [row.gaps.gram if gap == "Gram" else row.gaps.relative_variance for row in rows]
    try:
        return str(correlation(values, [row.robust_accuracy for row in rows]))
    except ValueError as error:
        return str(error)


def _facts_table(found: Diagnosis) -> Table:
    table = _table("Input gradients and linearity", "quantity", *found.networks)
    few = len(found.few)
    by_network = {
        f"local linearity, nats ({few} images)": found.linearity,
        f"Taylor remainder ratio ({few} images)": found.taylor,
        "share of zero input gradients": found.zero_gradients,
    }
    for name, values in by_network.items():
        table.add_row(name, *(f"{values[network]:.3g}" for network in found.networks))
    for name, value in {**found.gradients, **_distances(found)}.items():
        table.add_row(f"{name.replace('_', ' ')} to the teacher", f"{value:.3g}", "")
    return table


def _distances(found: Diagnosis) -> dict[str, float]:
    scalars = {} if found.distance is None else found.distance.scalars()
    return {f"{name}_distance": value for name, value in scalars.items()}


def _bound_table(bound: MeasuredBound) -> Table:
    table = _table("Local-linearity bound, EMPIRICAL: no certificate", "mean over images", "nats")
    scalars = bound.scalars()
    for words, name in BOUND_ROWS.items():
        table.add_row(words, f"{scalars[name]:.4g}")
    table.add_section()
    table.add_row("images with left <= right", f"{scalars['share']:.1%}")
    table.add_row("images with max l_S <= max l_T + terms", f"{scalars['maximum_share']:.1%}")
    return table


def _certified_table(found: Diagnosis) -> Table:
    radii = [f"{radius:g}" for radius in RADII]
    title = "Certified accuracy, %, by L2 radius (randomised smoothing)"
    table = _table(title, "network", *radii, "abstained %")
    for name, certificates in found.certificates.items():
        accuracies = [f"{100 * certificates.accuracy(radius):.1f}" for radius in RADII]
        table.add_row(name, *accuracies, f"{100 * certificates.abstentions:.1f}")
    return table


def as_json(found: Diagnosis) -> dict[str, Any]:
    """Everything measured; null where a number is not finite."""
    config = found.student.config
    content = {
        "checkpoint": str(found.student.path),
        "networks": list(found.networks),
        "split": found.split,
        "images": len(found.images),
        "linearity_images": len(found.few),
        "threat": config.threat.model_dump(mode="json"),
        "attack": config.validation.attack.model_dump(mode="json"),
        "gaps": {name: [_row(row) for row in rows] for name, rows in found.rows.items()},
        "correlations": _correlations(found),
        "zero_gradients": found.zero_gradients,
        "local_linearity": found.linearity,
        "taylor_remainder_ratio": found.taylor,
        "gradients": found.gradients,
        "feature_distance": _distances(found),
        "empirical_bound": found.bound.scalars() if found.bound else {},
        "certified": {
            name: {
                "accuracy": {f"{radius:g}": c.accuracy(radius) for radius in RADII},
                "abstained": c.abstentions,
            }
            for name, c in found.certificates.items()
        },
    }
    return {key: finite(value) for key, value in content.items()}


def _row(row: EpsilonRow) -> dict[str, Any]:
    return {
        "epsilon": row.epsilon,
        "robust_accuracy": row.robust_accuracy,
        **row.gaps.scalars,
        "per_channel": row.gaps.per_channel.tolist(),
    }


def finite(value: Any) -> Any:
    """JSON types with null for what JSON cannot hold."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
