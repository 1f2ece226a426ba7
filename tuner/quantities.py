"""How numbers are written for people: names, units, and how sure a measured accuracy is."""

from collections.abc import Mapping
from typing import Any

from trainables.measuring.intervals import wilson as wilson
from trainables.radii import radius as radius
from tuner.records import TrialRecord

WORDS = {
    "val/clean_accuracy": "clean accuracy",
    "val/robust_accuracy": "robust accuracy",
    "val/variance_gap": "variance gap",
    "student/parameters": "parameters",
    "student/multiply_adds": "multiply-adds",
    "student/latency_ms": "latency in ms",
}


def words(metric: str) -> str:
    """Name of a metric in plain words."""
    return WORDS.get(metric, metric.split("/")[-1].replace("_", " "))


def is_accuracy(metric: str) -> bool:
    """Whether the metric is a share of images in [0, 1], written in percent."""
    return metric.endswith("accuracy")


def is_count(metric: str) -> bool:
    """Whether the metric counts things and is written with k and M."""
    return metric.endswith(("parameters", "multiply_adds"))


def short(metric: str) -> str:
    """Heading of a column: ``clean %``, ``parameters``."""
    return words(metric).replace("accuracy", "%") if is_accuracy(metric) else words(metric)


def written(metric: str, value: float) -> str:
    """A value in the unit of its heading: ``96.4``, ``78.1 k``, ``0.0312``."""
    if is_accuracy(metric):
        return f"{100 * value:.1f}"
    return count(value) if is_count(metric) else f"{value:.3g}"


def difference(metric: str, value: float) -> str:
    """A difference with its sign and unit: ``+1.2 points``, ``-12.0 k``."""
    sign = "-" if value < 0 else "+"
    return f"{sign}{written(metric, abs(value))}{' points' if is_accuracy(metric) else ''}"


def measured(values: Mapping[str, float]) -> str:
    """All values in a line: ``96.4 % clean accuracy, 52.1 % robust accuracy``."""
    return ", ".join(
        f"{written(metric, value)}{' %' if is_accuracy(metric) else ''} {words(metric)}"
        for metric, value in values.items()
    )


def count(number: float) -> str:
    """A count with three figures: ``987``, ``78.1 k``, ``11.2 M``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g} {letter}"
    return f"{number:.3g}"


def weight(value: float) -> str:
    """An alignment weight: two figures, or ``-`` where the term is off."""
    return f"{value:.2g}" if value else "-"


def num_images(record: TrialRecord) -> int | None:
    """How many validation images the record was measured on; None where it was not reported."""
    reported = record.metrics.get("val/count")
    return int(reported) if reported else None


def interval(record: TrialRecord, metric: str) -> tuple[float, float] | None:
    """Wilson 95 % interval of an accuracy; None for other metrics or an unknown n."""
    n = num_images(record)
    return wilson(record.values[metric], n) if n and is_accuracy(metric) else None


def attack_name(config: Mapping[str, Any]) -> str:
    """The validation attack: ``margin PGD-20, step 0.25 epsilon, Linf epsilon 0.15``."""
    attack, threat = config["validation"]["attack"], config["threat"]
    norm = {"linf": "Linf", "l2": "L2"}[threat["norm"]]
    return (
        f"margin PGD-{attack['steps']}, step {attack['step_size']:g} epsilon, "
        f"{norm} epsilon {radius(threat['epsilon'])}"
    )
