"""The state of one training run."""

import copy
import math
from typing import Any, Self

import torch
from torch import Tensor, nn

from trainables.attacks import cross_entropy_objective, margin_objective
from trainables.config import OptimizerConfig, TrialConfig
from trainables.data import batches, load_data, num_batches
from trainables.diagnostics import variance_gap
from trainables.evaluation import (
    ObjectiveFactory,
    accuracy_under,
    adversarial_images,
    clean_accuracy,
)
from trainables.models import Network, allow_double_backward, create_network
from trainables.threat import ThreatModel
from trainables.training import Step, train_epoch

Metrics = dict[str, float]
VALIDATION_SEED = 20
"""Of the validation attack: fixed, so that epochs and trials face the same starts."""


class Distillation:
    """A student on its way: networks, projectors, optimiser, schedule, finished epochs."""

    def __init__(self, config: TrialConfig, teacher: Network | None) -> None:
        self.config = config
        self.device = pick_device(config.hardware.device)
        self.data = load_data(config.data, self.device)
        self.teacher = teacher.eval().requires_grad_(False) if teacher is not None else None
        self.epoch = 0
        self._build_networks()
        self._build_optimizer()

    @classmethod
    def build(cls, config: TrialConfig, teacher: Network | None = None) -> Self:
        """A run before its first epoch.

        Args:
            config: complete description of the run.
            teacher: the network that ``config.teacher`` describes, on the run's device; it is put
                into eval mode and frozen, and may serve many runs.

        Raises:
            ValueError: if the config needs a teacher and none is given, or a term does not fit the
                networks.
        """
        if config.needs_teacher and teacher is None:
            raise ValueError("this config learns from a teacher, but no teacher network was given")
        torch.set_num_threads(config.hardware.threads)
        torch.manual_seed(config.seed)
        return cls(config, teacher)

    def _build_networks(self) -> None:
        config, alignments = self.config, self.config.alignments.active()
        self.student = build_network(config, config.student.architecture, config.student.normalize)
        self.projectors = nn.ModuleDict()
        for name, term in alignments.items():
            shape = self.data.image_shape
            student_widths = self.student.feature_widths(shape, term.layers)
            teacher_widths = self.teacher.feature_widths(shape, term.layers) if self.teacher else {}
            self.projectors[name] = term.projectors(student_widths, teacher_widths)
        self.projectors.to(self.device)
        self.step = Step(
            method=config.method,
            alignments=alignments,
            projectors=self.projectors,
            threat=config.threat,
            attack=config.attack,
        )
        if self.step.differentiable:
            allow_double_backward(self.student)  # not the teacher: first order is enough there

    def _build_optimizer(self) -> None:
        parameters = [
            parameter
            for module in (self.student, self.projectors)
            for parameter in module.parameters()
            if parameter.requires_grad
        ]
        num_steps = self.config.epochs * num_batches(self.data.train, self.config.data)
        self.optimizer = create_optimizer(parameters, self.config.optimizer)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda step: learning_rate_factor(self.config.optimizer, step / num_steps),
        )

    @property
    def finished(self) -> bool:
        """Whether every epoch is done."""
        return self.epoch >= self.config.epochs

    def train_epoch(self) -> Metrics:
        """Train for one epoch; mean of every term of the loss over its steps.

        Every epoch seeds its own randomness, so a resumed run draws what an uninterrupted one
        would.
        """
        torch.set_num_threads(self.config.hardware.threads)
        seed = self.config.seed * 100_003 + self.epoch
        torch.manual_seed(seed)  # dropout and stochastic depth
        generator = torch.Generator(self.device).manual_seed(seed)
        self.step.threat = self._training_threat()
        totals = train_epoch(
            batches(self.data.train, self.config.data, generator),
            self.step,
            self.student,
            self.teacher,
            optimizer=self.optimizer,
            scheduler=self.scheduler,
            generator=generator,
            clip_norm=self.config.optimizer.clip_norm,
        )
        self.epoch += 1
        num_steps = num_batches(self.data.train, self.config.data)
        means = {f"train/{name}_loss": total.item() / num_steps for name, total in totals.items()}
        return {"train/loss": sum(means.values()), **means}

    def _training_threat(self) -> ThreatModel:
        """The threat model of this epoch: its radius grows during ``epsilon_warmup``."""
        warmup_epochs = self.config.epsilon_warmup * self.config.epochs
        factor = min(1.0, (self.epoch + 1) / warmup_epochs) if warmup_epochs else 1.0
        return ThreatModel(
            norm=self.config.threat.norm, epsilon=factor * self.config.threat.epsilon
        )

    def validate(self) -> Metrics:
        """Accuracies on the validation split, in [0, 1]; see ``ValidationConfig``."""
        validation, split = self.config.validation, self.data.validation
        attacked = self._attack_validation(margin_objective)
        metrics = {
            "val/clean_accuracy": clean_accuracy(self.student, split, validation.batch_size),
            "val/robust_accuracy": self._validation_accuracy(attacked),
            "val/variance_gap": variance_gap(self.student, split.images, attacked),
            "val/count": float(len(split)),
            "student/parameters": float(sum(p.numel() for p in self.student.parameters())),
        }
        if self._checks_cross_entropy():
            weaker = self._validation_accuracy(self._attack_validation(cross_entropy_objective))
            excess = weaker - metrics["val/robust_accuracy"]
            metrics[f"val/pgd{validation.attack.steps}_accuracy"] = weaker
            metrics["val/masking_alarm"] = float(excess > validation.masking_alarm)
        return metrics

    def _attack_validation(self, objective: ObjectiveFactory) -> Tensor:
        return adversarial_images(
            self.student,
            self.data.validation,
            objective,
            self.config.threat,
            self.config.validation.attack,
            seed=VALIDATION_SEED,
            batch_size=self.config.validation.batch_size,
        )

    def _validation_accuracy(self, attacked: Tensor) -> float:
        batch_size = self.config.validation.batch_size
        return accuracy_under(self.student, self.data.validation, attacked, batch_size)

    def _checks_cross_entropy(self) -> bool:
        when = self.config.validation.cross_entropy
        return when == "always" or (when == "last_epoch" and self.finished)

    def state_dict(self) -> dict[str, Any]:
        """Everything that training on needs, as a copy; randomness is seeded by the epoch."""
        live = {
            "config": self.config.model_dump(mode="json"),
            "epoch": self.epoch,
            "student": self.student.state_dict(),
            "projectors": self.projectors.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
        }
        return copy.deepcopy(live)  # torch's state dicts change with the modules they come from

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of the same config.

        Raises:
            ValueError: if the state belongs to another config.
        """
        if state["config"] != self.config.model_dump(mode="json"):
            raise ValueError("this checkpoint belongs to another config and cannot be continued")
        self.student.load_state_dict(state["student"])
        self.projectors.load_state_dict(state["projectors"])
        # a copy: PyTorch's optimisers take over the momentum tensors that they are given
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.scheduler.load_state_dict(state["scheduler"])
        self.epoch = state["epoch"]


def pick_device(name: str) -> torch.device:
    """The device that ``auto``, ``cpu`` or ``cuda`` means on this machine.

    Raises:
        ValueError: if ``cuda`` is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ValueError(
            "hardware.device is 'cuda', but PyTorch sees no GPU; allowed here: 'cpu', 'auto'"
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def build_network(config: TrialConfig, architecture: str, normalize: bool) -> Network:
    """An untrained network for the config's data, on its device."""
    device = pick_device(config.hardware.device)
    data = load_data(config.data, device)
    channels = data.image_shape[0]
    network = create_network(
        architecture,
        image_shape=data.image_shape,
        num_classes=data.num_classes,
        mean=data.mean if normalize else [0.0] * channels,
        std=data.std if normalize else [1.0] * channels,
    )
    return network.to(device)


def create_optimizer(
    parameters: list[nn.Parameter], config: OptimizerConfig
) -> torch.optim.Optimizer:
    """SGD with momentum, or AdamW."""
    if config.name == "adamw":
        return torch.optim.AdamW(
            parameters, lr=config.learning_rate, weight_decay=config.weight_decay
        )
    return torch.optim.SGD(
        parameters,
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )


def learning_rate_factor(config: OptimizerConfig, progress: float) -> float:
    """Factor on the peak learning rate after ``progress`` in [0, 1] of all steps."""
    rise = min(1.0, progress / config.warmup) if config.warmup else 1.0
    if config.schedule == "multistep":
        return rise * 0.1 ** ((progress >= 0.5) + (progress >= 0.75))
    if config.schedule == "cosine":
        return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    if config.schedule == "one_cycle" and progress > config.warmup:
        return (1 - min(1.0, progress)) / (1 - config.warmup)
    return rise
