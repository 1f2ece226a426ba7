"""One part of AutoAttack on one chunk of images, by the library ``pyautoattack``, quietly."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Literal

import torch
from torch import Tensor, nn

from trainables.threat import ThreatModel

Part = Literal["apgd-ce", "apgd-t", "fab-t", "square"]

PARTS: tuple[Part, ...] = ("apgd-ce", "apgd-t", "fab-t", "square")
"""Of the standard version, in its order."""

PART_NAMES: dict[Part, str] = {
    "apgd-ce": "APGD-CE",
    "apgd-t": "APGD-T",
    "fab-t": "FAB-T",
    "square": "Square",
}

MOST_TARGETS = 9
"""Target classes of APGD-T and FAB-T in the standard version; fewer where there are fewer."""

DLR_CLASSES = 4
"""The targeted DLR loss divides by a difference of the four largest logits."""

SQUARE_L2_PIXELS = 5
"""Square's first L2 step cuts the image into five rows."""


def is_installed() -> bool:
    """Whether the library is there; a machine that only trains may lack it."""
    return find_spec("pyautoattack") is not None


class NonFiniteLogitsError(ArithmeticError):
    """The network gave NaN or infinity somewhere on the way of an attack."""


class FiniteLogits(nn.Module):
    """The network itself, as long as all its logits are finite.

    Raises:
        NonFiniteLogitsError: otherwise.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` in float32; a copy, as Square writes into it."""
        logits: Tensor = self.network(images).float().clone()
        if not logits.isfinite().all():
            raise NonFiniteLogitsError
        return logits


class RejectingLogits(nn.Module):
    """The network with one more class, which wins where the network's logits are not finite.

    So such an image counts as wrong, whatever its label: the argmax of NaNs would be class 0.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(batch, classes + 1)``, all finite."""
        logits: Tensor = self.network(images).float()
        finite = logits.isfinite().all(dim=1, keepdim=True)
        rejected = torch.where(finite, -1e30, 1.0).to(logits.dtype)
        return torch.cat([torch.where(finite, logits, 0.0), rejected], dim=1)


def survivors(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    part: Part,
    *,
    threat: ThreatModel,
    seed: int,
    square_queries: int,
) -> tuple[Tensor, list[str]]:
    """Which images the part could not break, and what the library warns of.

    Args:
        network: in eval mode; logits of images in [0, 1].
        images: ``(batch, channels, height, width)``, all classified right; batch >= 1.
        labels: ``(batch,)``.
        part: what attacks.
        threat: norm and radius.
        seed: of the part's randomness; PyTorch's global generator is left as it was.
        square_queries: forward passes per image of Square; 5000 in the standard version.

    Returns:
        Boolean flags ``(batch,)``, true where the image held; warnings, without repetitions.
    """
    settings: dict[str, Any] = {"threat": threat, "seed": seed, "square_queries": square_queries}
    _refuse_small_images(images, part, threat)
    try:
        return _run(FiniteLogits(network), images, labels, part, **settings)
    except NonFiniteLogitsError:
        return _run(RejectingLogits(network), images, labels, part, **settings)


def _run(
    model: nn.Module, images: Tensor, labels: Tensor, part: Part, **settings: Any
) -> tuple[Tensor, list[str]]:
    devices = [images.device] if images.is_cuda else []
    with _quietly() as warnings, torch.random.fork_rng(devices):
        library = _library(model, images, **settings)
        library.attacks_to_run = [part]
        _, predicted = library.run_standard_evaluation(images, labels, batch_size=len(images))
    return predicted == labels, list(dict.fromkeys(warnings))


def _library(
    model: nn.Module, images: Tensor, *, threat: ThreatModel, seed: int, square_queries: int
) -> Any:
    from pyautoattack import AutoAttack  # heavy, and not everywhere where trainables is

    norm: Literal["Linf", "L2"] = "Linf" if threat.norm == "linf" else "L2"
    library = AutoAttack(
        model, norm=norm, eps=threat.epsilon, seed=seed, version="standard", device=images.device
    )
    library.square.n_queries = square_queries
    classes = num_classes(model, images)
    targets = min(MOST_TARGETS, classes - 1)
    library.apgd_targeted.n_target_classes = library.fab.n_target_classes = targets
    if classes < DLR_CLASSES:
        _target_the_margin(library.apgd_targeted)
    return library


def num_classes(model: nn.Module, images: Tensor) -> int:
    """How many classes the network tells apart."""
    with torch.no_grad():
        width: int = model(images[:1]).shape[1]
    return width - isinstance(model, RejectingLogits)


def _target_the_margin(apgd: Any) -> None:
    """Let APGD-T maximise ``z_target - z_y``: DLR's numerator, without its denominator.

    APGD uses the gradient's direction and the order of losses alone, so the scale of the logits
    does not matter here either.
    """

    def margin(logits: Tensor, labels: Tensor) -> Tensor:
        rows = torch.arange(len(logits), device=logits.device)
        return logits[rows, apgd.y_target] - logits[rows, labels]

    apgd.dlr_loss_targeted = margin


def _refuse_small_images(images: Tensor, part: Part, threat: ThreatModel) -> None:
    smallest = min(images.shape[2:])
    if part == "square" and threat.norm == "l2" and smallest < SQUARE_L2_PIXELS:
        raise ValueError(
            f"Square under L2 needs images of at least {SQUARE_L2_PIXELS} x {SQUARE_L2_PIXELS} "
            f"pixels, got {images.shape[2]} x {images.shape[3]}; leave the part out"
        )


@contextmanager
def _quietly() -> Iterator[list[str]]:
    """Collect the library's warnings instead of printing them; keep a debugger's trace."""
    logger, heard = logging.getLogger("auto-attack"), _Heard()
    before, trace = (logger.propagate, logger.level), sys.gettrace()
    logger.addHandler(heard)
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    try:
        yield heard.messages
    finally:
        logger.removeHandler(heard)
        logger.propagate = before[0]
        logger.setLevel(before[1])
        sys.settrace(trace)


class _Heard(logging.Handler):
    """Keeps messages, but for those on too few classes, which are dealt with here."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage().partition(" See flags_doc.md")[0].strip()
        if not message.startswith("with only"):
            self.messages.append(message)
