"""A diagnosis as pictures."""

from collections.abc import Callable

from matplotlib.figure import Figure
from torch import Tensor

from trainables.data import Split
from trainables.diagnostics.pictures import (
    Series,
    as_png,
    certified_picture,
    correlation_picture,
    feature_picture,
    gap_picture,
    saliency_picture,
)
from trainables.diagnostics.sweep import EpsilonRow
from tuner.diagnosis.measures import Diagnosis, Request, first_images
from tuner.quantities import attack_name, radius

GAPS: dict[str, Callable[[EpsilonRow], float]] = {
    "variance gap, relative": lambda row: row.gaps.relative_variance,
    "Gram gap, relative": lambda row: row.gaps.gram,
}
SHOWN_IMAGES = 4  # rows of the saliency picture
SCATTERED_IMAGES = 500


def pictures(found: Diagnosis, request: Request) -> dict[str, bytes]:
    """The PNGs by file name; ``certified.png`` only if it was asked for."""
    images = f"{len(found.images)} {found.split} images."
    note = f"{images[:-1]}; {_attack(found)}."
    threat = found.student.config.threat
    drawn = {
        "gaps.png": gap_picture(found.rows, threat, note),
        "correlation.png": correlation_picture(
            [
                (label, _series(found, label))
                for label in ("variance gap, relative", "Gram gap, relative")
            ],
            title="Robust accuracy against the gaps, radius by radius",
            y_label="robust accuracy, %",
            note=f"Points: epsilon beside them. {note} "
            "Points of one network share images, so the intervals are narrower than the truth.",
        ),
        "saliency.png": _saliency(found),
        "features.png": feature_picture(
            found.networks, *_scattered(found), note=f"{note} Each network under its own attack."
        ),
    }
    if request.smoothing:
        drawn["certified.png"] = certified_picture(found.certificates, request.smoothing, images)
    return {name: as_png(figure) for name, figure in drawn.items()}


def _attack(found: Diagnosis) -> str:
    return attack_name(found.student.config.model_dump(mode="json"))


def _series(found: Diagnosis, label: str) -> list[Series]:
    return [
        Series(
            name,
            [
                row.gaps.gram if label.startswith("Gram") else row.gaps.relative_variance
                for row in rows
            ],
            [100 * row.robust_accuracy for row in rows],
            [radius(row.epsilon) for row in rows],
        )
        for name, rows in found.rows.items()
    ]


def _saliency(found: Diagnosis) -> Figure:
    few = first_images(found.images, SHOWN_IMAGES)
    student = next(iter(found.networks))
    return saliency_picture(
        found.networks,
        few,
        found.attacked[student][:SHOWN_IMAGES],
        epsilon=_attack(found),
        note="The attack is on the student.",
    )


def _scattered(found: Diagnosis) -> tuple[Split, dict[str, Tensor]]:
    few = first_images(found.images, SCATTERED_IMAGES)
    return few, {name: moved[:SCATTERED_IMAGES] for name, moved in found.attacked.items()}
