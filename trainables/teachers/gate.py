"""Before a teacher is used, it reaches what its source promises, and what it can."""

from collections.abc import Iterator

import torch

from trainables.config import TeacherConfig
from trainables.data import Data
from trainables.evaluation import clean_accuracy
from trainables.measuring.intervals import wilson
from trainables.models import Network
from trainables.models.normalization import KNOWN
from trainables.splits import Split


def refuse_other_than_promised(
    teacher: TeacherConfig, measured: float, network: Network, data: Data
) -> None:
    """Compare the measured accuracy with the promise.

    Args:
        teacher: says what is promised, and how far the measured value may be from it.
        measured: clean accuracy on :func:`promised_split`.
        network: as it was measured; left with its normalisation.
        data: that of the trial.

    Raises:
        ValueError: if it is too far off; says which normalisation would keep the promise.
    """
    promised = teacher.clean_accuracy
    if promised is None or abs(measured - promised) <= teacher.tolerance:
        return
    better = [
        f"with normalization {name!r} it reaches {reached:.3f}"
        for name, reached in _with_other_normalizations(
            network, data, promised_split(teacher, data)
        )
        if abs(reached - promised) <= teacher.tolerance
    ]
    raise ValueError(
        f"teacher {teacher.checkpoint or teacher.label} reaches {measured:.3f} clean accuracy on "
        f"the {teacher.promised_on} images, but clean_accuracy promises {promised:.3f} (tolerance "
        f"{teacher.tolerance}); " + ("; ".join(better) or "check normalization and data")
    )


def refuse_guessing(teacher: TeacherConfig, measured: float, data: Data) -> None:
    """See that a file of which nothing is promised knows the data's classes at all.

    Args:
        teacher: from a file.
        measured: clean accuracy on the validation images.
        data: that of the trial.

    Raises:
        ValueError: if the 95 % interval of the accuracy reaches down to that of guessing.
    """
    guessing = 1 / data.num_classes
    if wilson(measured, len(data.validation))[0] <= guessing:
        raise ValueError(
            f"teacher {teacher.checkpoint} reaches {measured:.3f} clean accuracy on the validation "
            f"images, no better than guessing among {data.num_classes} classes; it was trained on "
            "other data, with the classes in another order, or with another normalization; if so "
            "weak a teacher is meant, say its clean_accuracy"
        )


def refuse_a_wrong_guess(
    teacher: TeacherConfig, measured: float, network: Network, data: Data
) -> None:
    """See that no usual normalisation suits a file better than the data's, which was guessed.

    Args:
        teacher: from a file that does not say how images are standardised.
        measured: clean accuracy on the validation images.
        network: as it was measured; left with its normalisation.
        data: that of the trial.

    Raises:
        ValueError: if with another one the 95 % interval of the accuracy lies above this one's.
    """
    others = _with_other_normalizations(network, data, data.validation)
    reached, name = max((accuracy, name) for name, accuracy in others)
    n = len(data.validation)
    if wilson(reached, n)[0] > wilson(measured, n)[1]:
        raise ValueError(
            f"teacher {teacher.checkpoint} does not bring its normalization; with the training "
            f"images' (data) it reaches {measured:.3f} clean accuracy on the validation images, "
            f"with {name!r} {reached:.3f}; say in normalization which one it was trained with"
        )


def promised_split(teacher: TeacherConfig, data: Data) -> Split:
    """The images of the promise: of the test images, clean accuracy alone is ever measured."""
    return data.test if teacher.promised_on == "test" else data.validation


def promised_metric(teacher: TeacherConfig) -> str:
    """The name under which its accuracy on those images is stored."""
    return "test_clean_accuracy" if teacher.promised_on == "test" else "clean_accuracy"


def _with_other_normalizations(
    network: Network, data: Data, split: Split
) -> Iterator[tuple[str, float]]:
    before = network.mean, network.std
    channels = data.image_shape[0]
    choices = {"data": (data.mean, data.std), "none": ([0.0] * channels, [1.0] * channels)}
    if channels == 3:
        choices |= {name: known.of_channels(3) for name, known in KNOWN.items()}
    try:
        for name, statistics in choices.items():
            network.mean, network.std = (
                torch.tensor(values).view(1, -1, 1, 1).to(before[0]) for values in statistics
            )
            yield name, clean_accuracy(network, split)
    finally:
        network.mean, network.std = before
