"""What ``tuner evaluate`` does: parse, find, measure, show, write."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from trainables.config import TrialConfig
from trainables.measuring.attack_text import Attack, parse_attack
from trainables.radii import parse_radius
from trainables.threat import ThreatModel
from tuner.evaluation.files import write_csv, write_json
from tuner.evaluation.measuring import Evaluation, Request, evaluate
from tuner.evaluation.table import accuracy_table, gates_table
from tuner.evaluation.target import Foreign, find_target
from tuner.pictures.robustness import write_picture

Norm = Literal["linf", "l2"]

DEFAULT_ATTACKS = ("fgsm", "pgd20_relative", "margin_pgd20_relative")
"""Their steps are parts of epsilon, so they suit any radius."""


def evaluate_and_show(
    place: Path,
    foreign: Foreign,
    attacks: Sequence[str],
    epsilons: str | None,
    *,
    norm: Norm | None,
    split: str,
    images: int | None,
    gates: bool,
    seed: int,
    output: Path | None,
    console: Console,
) -> None:
    """Measure a network, show tables, and write them with a picture.

    Raises:
        ValueError: in one sentence, before anything is measured, for what cannot be.
    """
    chosen = parse_attacks(attacks)
    target = find_target(place, foreign)
    request = Request(
        chosen, threats(target.config, epsilons, norm), split, images, gates=gates, seed=seed
    )
    folder = output or default_output(target.path)
    console.print(f"{target.architecture}, {target.path}", soft_wrap=True, markup=False)
    with console.status("") as status:
        evaluation = evaluate(target, request, folder, lambda what: status.update(f"{what} …"))
    show(evaluation, console)
    write_json(evaluation, folder / "robustness.json")
    write_csv(evaluation, folder / "robustness.csv")
    picture = write_picture(evaluation, folder / "robustness.png")
    console.print(
        f"numbers: {folder / 'robustness.json'}, robustness.csv", soft_wrap=True, markup=False
    )
    console.print(f"plot: {picture}", soft_wrap=True)


def show(evaluation: Evaluation, console: Console) -> None:
    """The accuracies, then the gates, then what to keep in mind, then the verdict."""
    console.print(accuracy_table(evaluation))
    if evaluation.gates:
        console.print(gates_table(evaluation))
    for note in evaluation.notes:
        console.print(f"note: {note}", markup=False)
    if evaluation.verdict:
        failed = [gate for gate in evaluation.gates if not gate.passed]
        style = "bold red" if failed else "green"
        console.print(f"verdict: {evaluation.verdict}", style=style, markup=False)


def parse_attacks(texts: Sequence[str]) -> tuple[Attack, ...]:
    """The attacks that were named, each once; ``clean`` is measured anyway."""
    named = [text for text in texts if text.strip() != "clean"]
    parsed = [parse_attack(text) for text in (named if texts else DEFAULT_ATTACKS)]
    return tuple({attack.key: attack for attack in parsed}.values())


def threats(
    config: TrialConfig, epsilons: str | None, norm: Norm | None
) -> tuple[ThreatModel, ...]:
    """The balls, from the smallest; the config's own where nothing is said.

    Raises:
        ValueError: for what is no radius, or a change of the norm without a radius.
    """
    own = config.threat
    if epsilons is None:
        if norm is not None and norm != own.norm:
            raise ValueError(
                f"--norm {norm} needs --epsilon: the config's epsilon is a radius in {own.norm}"
            )
        return (own,)
    radii = sorted({parse_radius(text) for text in epsilons.split(",")})
    return tuple(ThreatModel(norm=norm or own.norm, epsilon=value) for value in radii)


def default_output(checkpoint: Path) -> Path:
    """Beside a ``checkpoint.pt``; a folder of its own for one of many files."""
    folder = checkpoint.parent / "evaluation"
    return folder if checkpoint.name == "checkpoint.pt" else folder / checkpoint.stem
