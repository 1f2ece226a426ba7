"""The state of one training run."""

import copy
from typing import Any, Self

import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from trainables.alignments import Pair
from trainables.checking import check_ranks
from trainables.config import TrialConfig, identity
from trainables.data import batches, load_data, num_batches
from trainables.diagnostics.config import diagnose
from trainables.machine.allocator import keep_freed_memory
from trainables.machine.compilation import compile_in_place, uncompiled
from trainables.machine.hardware import compute_type, machine, pick_device, resolved
from trainables.models import (
    Network,
    allow_double_backward,
    computing_in,
    require_double_backward,
)
from trainables.models.synchronized import synchronized_batch_norm
from trainables.networks import as_teacher, build_student
from trainables.networks import build_network as build_network
from trainables.optimizing.accumulation import shared_momentum
from trainables.optimizing.early_stopping import BestEpoch
from trainables.optimizing.optimizer import create_optimizer, learning_rate_factor
from trainables.optimizing.weight_averaging import StochasticAverage, WeightAverage
from trainables.storage.resuming import whole_state
from trainables.student_costs import student_costs
from trainables.training import Networks, Step, train_epoch
from trainables.validation import VALIDATION_SEED as VALIDATION_SEED
from trainables.validation import Metrics as Metrics
from trainables.validation import validate
from trainables.workers.ranks import ALONE, Ranks

NUM_IMAGES_FOR_TERMS = 512
"""Training images from which a term may take shapes and principal components."""


class Distillation:
    """A student on its way: networks, the terms' modules, optimiser, schedule, finished epochs."""

    def __init__(
        self,
        config: TrialConfig,
        teacher: Network | None,
        clean_teacher: Network | None,
        ranks: Ranks = ALONE,
    ) -> None:
        check_ranks(config, ranks)
        self.config, self.ranks = config, ranks
        self.hardware = resolved(config.hardware)
        self.device = pick_device(self.hardware.device)
        if self.device.type == "cpu":
            keep_freed_memory()
        self.data = load_data(config.data, self.device)
        self.teacher, self.clean_teacher = as_teacher(teacher), as_teacher(clean_teacher)
        self.epoch = 0
        self.best = BestEpoch(keep_weights=config.early_stopping is not None)
        self.student = build_student(config)
        self._build_terms()
        ranks.copy_first(self.student, self.modules)
        self._build_optimizer()

    @classmethod
    def build(
        cls,
        config: TrialConfig,
        teacher: Network | None = None,
        clean_teacher: Network | None = None,
        ranks: Ranks = ALONE,
    ) -> Self:
        """A run before its first epoch.

        Args:
            config: complete description of the run.
            teacher: the network that ``config.teacher`` describes, on the run's device; it is put
                into eval mode and frozen, and may serve many runs.
            clean_teacher: the one that ``config.clean_teacher`` describes; likewise.
            ranks: the processes that make the run together, all calling the same methods.

        Raises:
            ValueError: if the config needs a teacher and none is given, or a term does not fit the
                networks, or the images cannot be shared among the ranks.
        """
        if config.needs_teacher and teacher is None:
            raise ValueError("this config learns from a teacher, but no teacher network was given")
        if config.method.needs_clean_teacher and clean_teacher is None:
            raise ValueError(
                "this config learns from a clean teacher, but no such network was given"
            )
        torch.set_num_threads(config.hardware.threads)
        torch.manual_seed(config.seed)
        return cls(config, teacher, clean_teacher, ranks)

    def _build_terms(self) -> None:
        config, alignments = self.config, self.config.alignments.active()
        twice = any(term.needs_double_backward for term in alignments.values())
        if twice:
            allow_double_backward(self.student)  # not the teacher: first order is enough there
            shape = self.data.image_shape
            require_double_backward(self.student, config.student.architecture, shape)
        if self.hardware.compile:  # a compiled graph has no second derivative
            batch_shape = (config.data.batch_size, *self.data.image_shape)
            student = None if twice else self.student
            compile_in_place(batch_shape, student, self.teacher, self.clean_teacher)
        self.modules = nn.ModuleDict()
        for name, term in alignments.items():
            assert self.teacher is not None, "a config that needs a teacher is refused without one"
            images = self.data.train.first(NUM_IMAGES_FOR_TERMS)
            self.modules[name] = term.modules(Pair(self.student, self.teacher, images))
        self.modules.to(self.device)
        self.step = Step(
            method=config.method,
            alignments=alignments,
            modules=self.modules,
            threat=config.threat,
            attack=config.attack,
            ranks=self.ranks,
        )

    def _build_optimizer(self) -> None:
        parameters = [
            parameter
            for module in (self.student, self.modules)
            for parameter in module.parameters()
            if parameter.requires_grad
        ]
        num_steps = self.config.epochs * num_batches(self.data.train, self.config.data)
        self.optimizer = create_optimizer(parameters, self.config.optimizer)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda step: learning_rate_factor(self.config.optimizer, step / num_steps),
        )
        self.average: WeightAverage | None = None
        if self.config.averaging is not None:
            self.average = WeightAverage(
                self.config.averaging,
                self.student,
                num_steps=num_steps,
                num_epochs=self.config.epochs,
            )

    @property
    def finished(self) -> bool:
        """Whether every epoch is done, or early stopping has waited long enough."""
        stopping = self.config.early_stopping
        waited = stopping is not None and self.best.waited(self.epoch, stopping.patience)
        return waited or self.epoch >= self.config.epochs

    @property
    def machine(self) -> dict[str, str | int | bool]:
        """What the run is computed with."""
        return machine(self.hardware)

    @property
    def measured(self) -> Network:
        """The student that is validated and exported: the average where there is one."""
        return self.student if self.average is None else self.average.network

    def train_epoch(self) -> Metrics:
        """Train for one epoch; mean of every term of the loss over its steps.

        Every epoch seeds its own randomness, so a resumed run draws what an uninterrupted one
        would.
        """
        torch.set_num_threads(self.config.hardware.threads)
        seed = self.config.seed * 100_003 + self.epoch
        torch.manual_seed(self.ranks.seed(seed))  # dropout and stochastic depth
        generator = torch.Generator(self.device).manual_seed(seed)
        self._prepare_step()
        networks = Networks(self.student, self.teacher, self.clean_teacher)
        momentum = shared_momentum(self.student, self.step.micro_batches)
        with (
            momentum,
            computing_in(compute_type(self.hardware), *networks),
            synchronized_batch_norm(self.ranks),
        ):
            totals = train_epoch(
                batches(self.data.train, self.config.data, generator, self.ranks),
                self.step,
                networks,
                optimizer=self.optimizer,
                scheduler=self.scheduler,
                generator=generator,
                clip_norm=self.config.optimizer.clip_norm,
                average=self.average,
            )
        self.epoch += 1
        if self.average is not None:
            self._average_epoch(self.average)
        num_steps = num_batches(self.data.train, self.config.data)
        means = {f"train/{name}_loss": total.item() / num_steps for name, total in totals.items()}
        return {"train/loss": sum(means.values()), **means}

    def _prepare_step(self) -> None:
        """What changes from epoch to epoch."""
        awp, done = self.config.weight_perturbation, self.epoch / self.config.epochs
        self.step.perturbation = awp.strength if awp is not None and done >= awp.start else 0.0
        self.step.progress = (self.epoch + 1) / self.config.epochs
        self.step.threat = self.config.threat_in(self.epoch + 1)
        self.step.micro_batches = self.config.micro_batches_in(self.epoch + 1)

    def _average_epoch(self, average: WeightAverage) -> None:
        average.after_epoch(self.student, self.epoch)
        if isinstance(average.config, StochasticAverage) and average.begun:
            generator = torch.Generator(self.device).manual_seed(self.config.seed)
            images = batches(self.data.train, self.config.data, generator, self.ranks)
            with synchronized_batch_norm(self.ranks):
                update_bn(images, average.network)

    def validate(self) -> Metrics:
        """Accuracies on the validation split, in [0, 1]; see ``ValidationConfig``.

        With early stopping, a finished run is measured at its best epoch.
        """
        with uncompiled():  # it sees other batch sizes, and each would be compiled
            metrics = self._validate(self.measured)
        self.best.see(self.epoch, metrics["val/robust_accuracy"], self.measured)
        if self.finished and self.best.weights:
            metrics = self._validate(self._best_network())  # a copy, which is not compiled
        report = {
            **metrics,
            "val/best_epoch": float(self.best.epoch),
            "val/best_robust_accuracy": self.best.robust_accuracy,
            **self.config.validation.overfitting(
                metrics["val/robust_accuracy"], self.best.robust_accuracy
            ),
            **student_costs(self.config, self.student, self.data, self.device),
        }
        return self.ranks.agreed(report)  # latency is measured

    def _validate(self, network: Network) -> Metrics:
        config, split, finished = self.config, self.data.validation, self.finished
        how = config.validation_in(self.epoch)
        if not finished:
            split = split[: how.images]
        metrics = validate(network, split, config.threat, how, finished=finished, ranks=self.ranks)
        if config.diagnostics.due(finished=finished):
            metrics |= diagnose(
                network,
                self.teacher,
                split,
                threat=config.threat,
                attack=how.attack,
                config=config.diagnostics,
                seed=VALIDATION_SEED,
            )
        return metrics

    def _best_network(self) -> Network:
        network = copy.deepcopy(self.measured)
        network.load_state_dict(self.best.weights)
        return network

    def state_dict(self) -> dict[str, Any]:
        """Everything that training on needs, as a copy; randomness is seeded by the epoch.

        ``student`` holds the live weights; ``result``, where it is there, those to be measured and
        exported instead: the average, or the best epoch's after the last one.
        """
        live = {
            "config": self.config.model_dump(mode="json"),
            "machine": self.machine,
            "epoch": self.epoch,
            "student": self.student.state_dict(),
            "modules": self.modules.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "method": dict(self.step.state),
            "best": self.best.state_dict(),
        }
        if self.average is not None:
            live["average"] = self.average.state_dict()
            live["result"] = self.average.network.state_dict()
        if self.finished and self.best.weights:
            live["result"] = self.best.weights
        return copy.deepcopy(live)  # torch's state dicts change with the modules they come from

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of the same config; ``data.loading`` may be another.

        Raises:
            ValueError: if the state belongs to another config, or is damaged.
        """
        with whole_state():  # copies, as PyTorch takes over the tensors that it is given
            if identity(state["config"]) != identity(self.config.model_dump(mode="json")):
                raise ValueError("this checkpoint belongs to another config, not to this run's")
            self.student.load_state_dict(state["student"])
            self.modules.load_state_dict(state["modules"])
            self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
            self.scheduler.load_state_dict(state["scheduler"])
            self.step.state = dict(state["method"])
            self.best.load_state_dict(copy.deepcopy(state["best"]))
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            self.epoch = state["epoch"]
