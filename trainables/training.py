"""The hot loop."""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from trainables.alignments import Alignment
from trainables.attacks import AttackConfig, attack_from, starting_point
from trainables.methods import Batch, Method, View
from trainables.models import Network, frozen, module_mode
from trainables.models.taps import in_order
from trainables.optimizing.accumulation import mean_state, parts
from trainables.optimizing.weight_averaging import WeightAverage
from trainables.optimizing.weight_perturbation import worst_weights
from trainables.threat import ThreatModel
from trainables.workers.ranks import ALONE, Ranks


class Networks(NamedTuple):
    """Who takes part in a step."""

    student: Network
    teacher: Network | None = None
    clean_teacher: Network | None = None


class Step:
    """What one training step does, besides descending.

    Args:
        method: names the attack's objective and the loss.
        alignments: active terms by name.
        modules: what the terms train or remember, by name of the term.
        threat: norm and radius of this epoch.
        attack: strength of the attack.
        progress: share of the epochs done when this one ends.
        perturbation: length of the weight perturbation (AWP) in this epoch; 0 for none.
        state: the method's scalars, carried from step to step.
        ranks: the processes over which every batch is spread.
        micro_batches: parts in which this process takes its images, one after the other.
    """

    def __init__(
        self,
        *,
        method: Method,
        alignments: Mapping[str, Alignment],
        modules: nn.ModuleDict,
        threat: ThreatModel,
        attack: AttackConfig,
        progress: float = 1.0,
        perturbation: float = 0.0,
        state: MutableMapping[str, Tensor] | None = None,
        ranks: Ranks = ALONE,
        micro_batches: int = 1,
    ) -> None:
        self.ranks, self.micro_batches = ranks, micro_batches
        self.method, self.alignments, self.modules = method, alignments, modules
        self.threat, self.attack = threat, attack
        self.progress, self.perturbation = progress, perturbation
        self.state = method.initial_state() if state is None else state
        self._layers = in_order({tap for term in alignments.values() for tap in term.layers})
        self._differentiable = any(term.needs_input_gradient for term in alignments.values())

    def batches(
        self, images: Tensor, labels: Tensor, networks: Networks, generator: torch.Generator
    ) -> Iterator[Batch]:
        """The images in so many parts, each attacked when it is asked for.

        The attack starts where that of the whole batch would; of the method's scalars, which every
        part moves from where they were, the mean is kept.
        """
        start = self._start(images, generator) if self.method.attacks else images
        before, states = dict(self.state), []
        for rows in parts(len(images), self.micro_batches):
            self.state = dict(before)
            yield self._attacked(images[rows], labels[rows], networks, start[rows])
            states.append(self.state)
        self.state = mean_state(states)

    def _start(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return self.ranks.as_whole(
            lambda whole: starting_point(self.attack.start, whole, self.threat, generator), images
        )

    def batch(
        self, images: Tensor, labels: Tensor, networks: Networks, generator: torch.Generator
    ) -> Batch:
        """The images and what the attack makes of them, as all networks see them."""
        start = self._start(images, generator) if self.method.attacks else images
        return self._attacked(images, labels, networks, start)

    def _attacked(self, images: Tensor, labels: Tensor, networks: Networks, start: Tensor) -> Batch:
        student, teacher, clean_teacher = networks
        clean = View(
            images,
            student,
            teacher,
            clean_teacher=clean_teacher,
            layers=self._layers,
            differentiable=self._differentiable,
            ranks=self.ranks,
        )
        adversarial = None
        training = self.attack.batch_norm == "train"
        with module_mode(student, training=training), frozen(student):
            objective = self.method.inner(student, teacher, clean, labels)
            if objective is not None:
                moved = attack_from(
                    start, objective, images, threat=self.threat, config=self.attack
                )
                adversarial = clean.at(moved)
        return Batch(labels, clean, adversarial, progress=self.progress, state=self.state)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The method's loss and every weighted alignment, by name; of a part, its share."""
        terms = {
            name: term.weight * term.loss(batch, cast(nn.ModuleDict, self.modules[name]))
            for name, term in self.alignments.items()
        }
        losses = {"method": self.method.outer(batch), **terms}
        if self.micro_batches == 1:
            return losses
        return {name: loss / self.micro_batches for name, loss in losses.items()}

    def at_worst_weights(self, batch: Batch, student: Network) -> AbstractContextManager[None]:
        """The weights at which the loss is taken: moved by AWP, or as they are."""
        if not self.perturbation:
            return nullcontext()

        def loss() -> Tensor:
            with module_mode(self.modules, training=False):  # nothing is remembered of this pass
                return torch.stack(list(self.losses(batch.again()).values())).sum()

        return worst_weights(student, loss, self.perturbation, self.ranks)


def train_epoch(
    batches: Iterable[tuple[Tensor, Tensor]],
    step: Step,
    networks: Networks,
    *,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    generator: torch.Generator,
    clip_norm: float | None = None,
    average: WeightAverage | None = None,
) -> dict[str, Tensor]:
    """One epoch of SGD; returns the sum of each loss over the steps, on the device.

    With several ranks ``batches`` are this one's parts; losses and weights are the same on all.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    totals: dict[str, Tensor] = {}
    networks.student.train()
    step.modules.train()
    for images, labels in batches:
        optimizer.zero_grad()
        for batch in step.batches(images, labels, networks, generator):
            with step.at_worst_weights(batch, networks.student):
                losses = step.losses(batch)
                sum(losses.values()).backward(inputs=parameters)  # type: ignore[union-attr]
            for name, loss in losses.items():  # no .item(): it would wait for the device
                totals[name] = totals.get(name, 0) + loss.detach()
            del batch, losses  # their feature maps go before the next part is attacked
        step.ranks.average(parameter.grad for parameter in parameters)
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, clip_norm)
        optimizer.step()
        scheduler.step()
        if average is not None:
            average.after_step(networks.student)
    return {name: step.ranks.mean(total) for name, total in totals.items()}
