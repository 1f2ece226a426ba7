"""How linear a loss is around an image."""

from collections.abc import Iterator

import torch
from torch import Tensor

from trainables.attacks import Objective, cross_entropy_objective, pgd
from trainables.data import Split
from trainables.models import Network, module_mode
from trainables.threat import ThreatModel

STEPS, STEP_SIZE = 20, 0.25  # of epsilon, as the validation attack
AUTHORS_STEPS, AUTHORS_STEP_SIZE = 50, 0.1  # in the units of the images, whatever epsilon is


def local_linearity(
    objective: Objective,
    images: Tensor,
    threat: ThreatModel,
    *,
    start: Tensor,
    steps: int = STEPS,
    step_size: float = STEP_SIZE,
) -> Tensor:
    r"""Largest distance found between a loss and its tangent plane (Qin et al., 2019, Sec. 3).

    .. math:: \gamma(\epsilon, x) = \max_{\|\delta\| \le \epsilon}
        |\ell(x + \delta) - \ell(x) - \delta^T \nabla \ell(x)|

    Projected ascent on the remainder and on its negative; the largest value on both ways counts.
    It is a LOWER estimate of the maximum, never a bound.

    Args:
        objective: maps images to one value per image.
        images: ``(batch, channels, height, width)`` in [0, 1].
        threat: norm and radius; the perturbed image stays in [0, 1].
        start: first iterate, in the ball and not the images, where the remainder is flat.
        steps: of each of the two ascents.
        step_size: as a share of epsilon.

    Returns:
        ``(batch,)``, at least 0, in the objective's unit.
    """
    remainder = taylor_remainder(objective, images)
    length = step_size * threat.epsilon
    above, below = (
        largest(
            lambda moved, sign=sign: sign * remainder(moved),  # type: ignore[misc]
            images,
            threat,
            start=start,
            steps=steps,
            step_size=length,
        )
        for sign in (1, -1)
    )
    return torch.maximum(above, below).clamp_min(0)  # at no perturbation it is 0


def local_linearity_shao2021(
    objective: Objective, images: Tensor, threat: ThreatModel, *, start: Tensor
) -> Tensor:
    """The measure as KDIGA's authors compute it (Shao et al., 2021): for comparison with theirs.

    Differs from :func:`local_linearity`: the ascent is on the signed remainder, takes 50 steps of
    0.1 whatever epsilon is, and the last value counts, not the largest; it may be negative.

    Raises:
        ValueError: if the threat is not Linf, the only one in their code.
    """
    if threat.norm != "linf":
        raise ValueError(
            f"the authors' local linearity is defined for norm 'linf', got {threat.norm!r}; "
            "use local_linearity"
        )
    remainder = taylor_remainder(objective, images)
    moved = pgd(
        remainder, images, threat, step_size=AUTHORS_STEP_SIZE, steps=AUTHORS_STEPS, start=start
    )
    with torch.no_grad():
        return remainder(moved)


def taylor_remainder(objective: Objective, images: Tensor) -> Objective:
    """What a loss adds to its tangent plane at ``images``, as an objective of moved images."""
    origin = images.detach().requires_grad_()
    with torch.enable_grad():
        values = objective(origin)
        (gradient,) = torch.autograd.grad(values.sum(), origin)
    values = values.detach()

    def remainder(moved: Tensor) -> Tensor:
        linear = ((moved - images) * gradient).flatten(1).sum(dim=1)
        return objective(moved) - values - linear

    return remainder


def largest(
    objective: Objective,
    images: Tensor,
    threat: ThreatModel,
    *,
    start: Tensor,
    steps: int,
    step_size: float,
) -> Tensor:
    """Largest value per image ``(batch,)`` met on a projected ascent, its start included.

    Args:
        objective: maps images to one value per image; maximised.
        images: centre of the ball.
        threat: norm and radius.
        start: first iterate.
        steps: of the ascent.
        step_size: in the units of the images.
    """
    point = start
    with torch.no_grad():
        best = objective(point)
    for _ in range(steps):
        point = pgd(objective, images, threat, step_size=step_size, steps=1, start=point)
        with torch.no_grad():
            best = torch.maximum(best, objective(point))
    return best


def loss_linearity(
    network: Network,
    split: Split,
    threat: ThreatModel,
    *,
    seed: int,
    authors: bool = False,
    batch_size: int = 512,
) -> Tensor:
    """Local linearity of the cross-entropy around every image, in nats, the network in eval mode.

    Args:
        network: left in its own mode.
        split: images and labels.
        threat: norm and radius.
        seed: of the starts.
        authors: as :func:`local_linearity_shao2021` instead.
        batch_size: images per pass.

    Returns:
        ``(count,)``.
    """
    measure = local_linearity_shao2021 if authors else local_linearity
    starts = random_starts(split.images, threat, seed)
    with module_mode(network, training=False):
        measured = [
            measure(cross_entropy_objective(network, labels), images, threat, start=start)
            for images, labels, start in parts(batch_size, split.images, split.labels, starts)
        ]
    return torch.cat(measured)


def random_starts(images: Tensor, threat: ThreatModel, seed: int) -> Tensor:
    """A point of the ball around every image, drawn at once, so that batches change nothing."""
    return threat.random_start(images, torch.Generator(images.device).manual_seed(seed))


def parts(batch_size: int, *values: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Batches of tensors that run in step."""
    return zip(*(torch.split(value, batch_size) for value in values), strict=True)
