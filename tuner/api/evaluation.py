"""Measuring a network from Python: what ``tuner evaluate`` does, as a frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from trainables.spelling import unknown
from tuner.api.radii import Radii, radii_in_text
from tuner.evaluation.measuring import Evaluation, Request
from tuner.evaluation.measuring import evaluate as measure
from tuner.evaluation.target import Foreign, find_target
from tuner.study_names import path_at
from tuner.verbs.evaluate import default_output, parse_attacks, threats

if TYPE_CHECKING:
    from tuner.verbs.evaluate import Norm

SPLITS = ("test", "validation")


@dataclass(frozen=True)
class Measured:
    """What attacks leave of a network.

    Attributes:
        table: a row per attack and radius: ``attack``, ``epsilon`` in image units, ``accuracy`` in
            [0, 1] with its Wilson 95 % interval ``low`` to ``high``, ``correct`` of ``images``.
        verdict: ``plausible``, or what speaks for masked gradients; None if the gates were off.
        notes: what to know before believing a number.
    """

    table: pd.DataFrame
    verdict: str | None
    notes: tuple[str, ...]


def evaluate(
    target: str | Path,
    attacks: str | Sequence[str] = (),
    epsilon: Radii | None = None,
    *,
    norm: "Norm | None" = None,
    split: Literal["test", "validation"] = "test",
    images: int | None = None,
    gates: bool = True,
    seed: int = 0,
    output: str | Path | None = None,
    foreign: Foreign | None = None,
) -> Measured:
    """Measure a network against attacks.

    Args:
        target: a checkpoint, a folder that holds one, or a trial's YAML file once trained.
        attacks: ``pgd20``, ``autoattack``, ``pgd:loss=margin,steps=50,step=2/255`` …; default:
            FGSM, PGD-20 and margin PGD-20.
        epsilon: radius or radii in image units, as numbers or as text (``"2/255,8/255"``); default:
            the config's.
        norm: ``linf`` or ``l2``; default: the config's.
        split: which images.
        images: the first so many of them; default: all.
        gates: whether to look for masked gradients.
        seed: of every random start.
        output: folder of AutoAttack's state, from which a stopped run goes on; default: beside the
            checkpoint.
        foreign: what weights that were not trained here are.

    Raises:
        ValueError: in one sentence, before anything is measured, for what cannot be.
    """
    if split not in SPLITS:
        raise ValueError(unknown("split", split, SPLITS))
    chosen = parse_attacks([attacks] if isinstance(attacks, str) else attacks)
    found = find_target(path_at(str(target)), foreign or Foreign())
    balls = threats(found.config, radii_in_text(epsilon), norm)
    request = Request(chosen, balls, split, images, gates=gates, seed=seed)
    evaluation = measure(found, request, Path(output or default_output(found.path)))
    return Measured(_table(evaluation), evaluation.verdict, tuple(evaluation.notes))


def _table(evaluation: Evaluation) -> pd.DataFrame:
    rows = [
        {
            "attack": row.name,
            "epsilon": row.epsilon,
            "accuracy": row.accuracy.share,
            "low": row.accuracy.interval[0],
            "high": row.accuracy.interval[1],
            "correct": row.accuracy.correct,
            "images": row.accuracy.total,
        }
        for row in evaluation.rows
    ]
    return pd.DataFrame(rows)
