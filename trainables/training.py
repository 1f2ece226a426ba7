"""The hot loop."""

from collections.abc import Iterable, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from trainables.alignments import Alignment
from trainables.attacks import AttackConfig, attack
from trainables.methods import Batch, Method, View
from trainables.models import Network, module_mode
from trainables.threat import ThreatModel


class Step:
    """Everything that one training step needs, frozen for the epoch."""

    def __init__(
        self,
        *,
        method: Method,
        alignments: Mapping[str, Alignment],
        projectors: nn.ModuleDict,
        threat: ThreatModel,
        attack: AttackConfig,
    ) -> None:
        self.method, self.alignments, self.projectors = method, alignments, projectors
        self.threat, self.attack = threat, attack
        self.layers = tuple(
            sorted({layer for term in alignments.values() for layer in term.layers})
        )
        self.differentiable = any(term.needs_input_gradient for term in alignments.values())

    def view(self, images: Tensor, student: Network, teacher: Network | None) -> View:
        """The images as both networks see them."""
        return View(
            images, student, teacher, layers=self.layers, differentiable=self.differentiable
        )

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The method's loss and every weighted alignment, by name."""
        terms = {
            name: term.weight * term.loss(batch, cast(nn.ModuleDict, self.projectors[name]))
            for name, term in self.alignments.items()
        }
        return {"method": self.method.outer(batch), **terms}


def train_epoch(
    batches: Iterable[tuple[Tensor, Tensor]],
    step: Step,
    student: Network,
    teacher: Network | None,
    *,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    generator: torch.Generator,
    clip_norm: float | None = None,
) -> dict[str, Tensor]:
    """One epoch of SGD; returns the sum of each loss over the steps, on the device."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    totals: dict[str, Tensor] = {}
    student.train()
    for images, labels in batches:
        clean = step.view(images, student, teacher)
        objective = step.method.inner(student, teacher, clean, labels)
        adversarial = None
        if objective is not None:
            with module_mode(student, training=step.attack.batch_norm == "train"):
                attacked = attack(objective, images, step.threat, step.attack, generator=generator)
            adversarial = step.view(attacked, student, teacher)

        losses = step.losses(Batch(labels, clean, adversarial))
        optimizer.zero_grad()
        sum(losses.values()).backward(inputs=parameters)  # type: ignore[union-attr]
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, clip_norm)
        optimizer.step()
        scheduler.step()
        for name, loss in losses.items():  # no .item(): it would wait for the device
            totals[name] = totals.get(name, 0) + loss.detach()
    return totals
