"""Measuring a network against every attack and radius that was asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from trainables.data import Split, load_data
from trainables.measuring.attack_text import Attack
from trainables.measuring.autoattack import AutoAttack, AutoAttackResult, autoattack, identity
from trainables.measuring.autoattack_parts import PART_NAMES
from trainables.measuring.masking import Gate, autoattack_is_stronger, black_box_is_weaker, verdict
from trainables.measuring.named_attacks import NamedAttack, ball
from trainables.measuring.robustness import Accuracy, clean_flags, robust_flags, worst_case
from trainables.measuring.sanity import sanity_gates
from trainables.threat import ThreatModel
from tuner.evaluation.target import Target

WORST = "worst case"

GATE_IMAGES = 500
"""The gates are measured on the first images only; more would not change the verdict."""


@dataclass(frozen=True)
class Request:
    """What is to be measured, and on what.

    Attributes:
        attacks: besides clean accuracy.
        threats: one ball per radius, all of one norm.
        split: ``validation`` or ``test``.
        images: the first so many of the split; None for all.
        gates: whether to look for masked gradients.
        seed: of every random start.
    """

    attacks: tuple[Attack, ...]
    threats: tuple[ThreatModel, ...]
    split: str
    images: int | None
    gates: bool
    seed: int


@dataclass(frozen=True)
class Row:
    """One number: what an attack leaves at a radius.

    Attributes:
        name: the attack, or ``clean``, or ``worst case``.
        key: the attack in a metric's name.
        epsilon: radius in image units; 0 for clean accuracy.
        accuracy: with its counts.
        inner: whether it is a step on the way to the row before it: a part of AutoAttack.
    """

    name: str
    key: str
    epsilon: float
    accuracy: Accuracy
    inner: bool = False


@dataclass
class Evaluation:
    """Everything that was measured of a target."""

    target: Target
    request: Request
    num_images: int
    rows: list[Row] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def worst(self) -> list[Row]:
        """The worst case at every radius."""
        return [row for row in self.rows if row.name == WORST]

    @property
    def verdict(self) -> str | None:
        """``plausible``, or which gates failed; None where they were not measured."""
        return verdict(self.gates) if self.gates else None

    @property
    def notes(self) -> list[str]:
        """What a reader must know before believing a number."""
        short = [
            f"{attack.name} takes {attack.steps} steps of {attack.step_size(threat):.3g}, too "
            f"short to cross {ball(threat)}: a relative step such as 0.1eps would reach its edge"
            for attack in self.request.attacks
            for threat in self.request.threats
            if isinstance(attack, NamedAttack) and not attack.crosses(threat)
        ]
        warned = [f"AutoAttack warns: {warning}" for warning in self.warnings]
        return [*self.target.notes, *short, *warned]


def images_of(target: Target, request: Request) -> Split:
    """The images to measure on, on the network's device.

    Raises:
        ValueError: if the split has fewer images than were asked for.
    """
    data = load_data(target.config.data, target.network.mean.device)
    split: Split = getattr(data, request.split)
    if request.images is not None and request.images > len(split):
        raise ValueError(
            f"--images must be at most {len(split)}, the size of the {request.split} split, got "
            f"{request.images}"
        )
    return split[: request.images]


def evaluate(
    target: Target, request: Request, output: Path, report: Callable[[str], None] = lambda _: None
) -> Evaluation:
    """Measure everything.

    Args:
        target: its network is left as it was.
        request: what to measure.
        output: folder for the state of AutoAttack, so that it can go on after a stop.
        report: told what is being done.
    """
    torch.set_num_threads(target.config.hardware.threads)
    split = images_of(target, request)
    evaluation = Evaluation(target, request, len(split))
    clean = clean_flags(target.network, split)
    evaluation.rows.append(Row("clean", "clean", 0.0, Accuracy.of(clean)))
    for threat in request.threats:
        _measure(evaluation, split, threat, clean, state=output, report=report)
    if request.gates:
        report("the gates against masked gradients")
        first = split[:GATE_IMAGES]
        threat = _telling_radius(evaluation)
        gates = sanity_gates(target.network, first, threat, seed=request.seed)
        evaluation.gates = [*gates, *evaluation.gates]
    return evaluation


def _telling_radius(evaluation: Evaluation) -> ThreatModel:
    """The largest radius at which anything holds: where all is broken, nothing can be masked."""
    threats = evaluation.request.threats
    holding = [row.epsilon for row in evaluation.worst if row.accuracy.correct]
    return next((t for t in reversed(threats) if t.epsilon in holding), threats[0])


def _measure(
    evaluation: Evaluation,
    split: Split,
    threat: ThreatModel,
    clean: Tensor,
    *,
    state: Path,
    report: Callable[[str], None],
) -> None:
    """Every attack at one radius, and their worst case."""
    network, request = evaluation.target.network, evaluation.request
    simple, found = [clean], list[tuple[AutoAttack, AutoAttackResult]]()
    for attack in request.attacks:
        report(attack.label(threat))
        if isinstance(attack, NamedAttack):
            simple.append(robust_flags(network, split, threat, attack, seed=request.seed))
            left = Accuracy.of(simple[-1])
            evaluation.rows.append(Row(attack.name, attack.key, threat.epsilon, left))
        else:
            file = state / f"autoattack-{identity(network, split, threat, attack, request.seed)}.pt"
            result = autoattack(network, split, threat, attack, seed=request.seed, state=file)
            found.append((attack, result))
            evaluation.rows += _autoattack_rows(attack, threat, result)
    worst = worst_case([*simple, *(result.robust for _, result in found)])
    evaluation.rows.append(Row(WORST, "worst_case", threat.epsilon, Accuracy.of(worst)))
    for attack, result in found:
        evaluation.warnings += [w for w in result.warnings if w not in evaluation.warnings]
        if request.gates:
            evaluation.gates += _autoattack_gates(attack, threat, result, simple)


def _autoattack_rows(
    attack: AutoAttack, threat: ThreatModel, result: AutoAttackResult
) -> list[Row]:
    whole = Row(attack.name, attack.key, threat.epsilon, Accuracy.of(result.robust))
    if len(attack.parts) == 1:
        return [whole]
    parts = [
        Row(
            f"{'after ' if attack.cascade else ''}{PART_NAMES[part]}",
            f"{attack.key}_{part.replace('-', '_')}",
            threat.epsilon,
            Accuracy.of(flags),
            inner=True,
        )
        for part, flags in result.robust_after.items()
    ]
    return [whole, *parts]


def _autoattack_gates(
    attack: AutoAttack, threat: ThreatModel, result: AutoAttackResult, simple: Sequence[Tensor]
) -> list[Gate]:
    gates = []
    if "apgd-ce" in attack.parts and len(attack.parts) > 1:
        left = Accuracy.of(worst_case(simple))
        gates.append(autoattack_is_stronger(Accuracy.of(result.robust), left, ball(threat)))
    if attack.cascade and attack.parts[-1] == "square" and len(attack.parts) > 1:
        white = Accuracy.of(result.robust_after[attack.parts[-2]])
        both = Accuracy.of(result.robust)
        where = f"AutoAttack, {ball(threat)}"
        gates.append(black_box_is_weaker(white, both, attack.square_queries, where=where))
    return gates
