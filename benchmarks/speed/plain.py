"""The same methods as the field's public code runs them: eager, float32, nothing spared.

The attack calls ``backward`` and so computes the gradients of the weights, too; the student stays
in train mode; networks run again for every term; ``.item()`` after every step; images come as PIL
pictures through a DataLoader with two workers. No repository does all of it (TRADES and RSLAD put
the student into eval mode, TRADES takes the gradient of the images alone).
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import Compose, RandomCrop, RandomHorizontalFlip, ToPILImage, ToTensor

from benchmarks.speed.cases import STEPS

EPSILON, STEP_SIZE = 8 / 255, 2 / 255


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images one by one, decoded, cropped and flipped in a worker."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self._pictures = [ToPILImage()(image) for image in images]
        self._labels = labels.tolist()
        self._transform = Compose([RandomCrop(32, 4), RandomHorizontalFlip(), ToTensor()])

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(self._pictures[index]), self._labels[index]


def loader(images: Tensor, labels: Tensor, batch_size: int) -> DataLoader[tuple[Tensor, Tensor]]:
    pictures = Pictures(images.cpu(), labels.cpu())
    return DataLoader(pictures, batch_size, shuffle=True, num_workers=2, drop_last=True)


Loss = Callable[[Tensor], Tensor]


def attacked(images: Tensor, loss: Loss, start: float) -> Tensor:
    """PGD with ``backward``: gradients of the images, and unasked those of all weights."""
    noise = torch.empty_like(images).uniform_(-EPSILON, EPSILON) if start else None
    moved = images + (0.001 * torch.randn_like(images) if noise is None else noise)
    for _ in range(STEPS):
        moved = moved.detach().clamp(0, 1).requires_grad_()
        loss(moved).backward()
        assert moved.grad is not None
        moved = moved.detach() + STEP_SIZE * moved.grad.sign()
        moved = images + (moved - images).clamp(-EPSILON, EPSILON)
    return moved.detach().clamp(0, 1)


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    return F.kl_div(F.log_softmax(student, 1), F.softmax(teacher, 1), reduction="batchmean")


def adversarial_training(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    moved = attacked(x, lambda images: F.cross_entropy(s(images), y), EPSILON)
    return F.cross_entropy(s(moved), y)


def rslad(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        target = t(x)
    moved = attacked(x, lambda images: divergence(s(images), target), 0.0)
    return 5 / 6 * divergence(s(moved), target) + 1 / 6 * divergence(s(x), target)


def adaad(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    moved = attacked(x, lambda images: divergence(s(images), t(images)), 0.0)
    with torch.no_grad():
        target = t(moved)
    return divergence(s(moved), target)


def kdiga(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Logits in one pass of each network, gradients in a second one, as the authors do."""
    with torch.no_grad():
        target = t(x)
    logits = s(x)
    again = x.clone().detach().requires_grad_()
    (teachers,) = torch.autograd.grad(F.cross_entropy(t(again), y), again)
    again = x.clone().detach().requires_grad_()
    (students,) = torch.autograd.grad(F.cross_entropy(s(again), y), again, create_graph=True)
    gap = (students - teachers).norm(2) / len(x)
    return 0.5 * divergence(logits, target) + 0.5 * F.cross_entropy(logits, y) + gap


def variance_gap(s: nn.Module, t: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """No public code: adversarial training, then each term with passes of its own."""
    moved = attacked(x, lambda images: F.cross_entropy(s(images), y), EPSILON)
    loss = F.cross_entropy(s(moved), y)
    with torch.no_grad():
        target = t(moved)
    loss = loss + divergence(s(moved), target)
    for images in (x, moved):
        student = features(s, images)
        with torch.no_grad():
            teacher = features(t, images)
        gram = student @ student.T / student.shape[1] - teacher @ teacher.T / teacher.shape[1]
        loss = loss + gram.square().mean() + (variance(student) - variance(teacher)).square()
    return loss


def features(network: nn.Module, images: Tensor) -> Tensor:
    """Pooled last features ``(batch, channels)``."""
    maps: Tensor = network.outputs(images, (-1,)).features[-1]  # type: ignore[operator]
    return maps.mean(dim=1)


def variance(features: Tensor) -> Tensor:
    return (features.T.cov()).square().mean()


LOSSES = {
    "PGD-10 AT": adversarial_training,
    "RSLAD": rslad,
    "AdaAD": adaad,
    "KDIGA": kdiga,
    "variance gap": variance_gap,
}


def train(
    method: str,
    student: nn.Module,
    teacher: nn.Module,
    batches: Iterator[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
) -> float:
    """A pass over ``batches``; the sum of the losses."""
    total, device = 0.0, next(student.parameters()).device
    student.train()
    for images, labels in batches:
        loss = LOSSES[method](student, teacher, images.to(device), labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total
