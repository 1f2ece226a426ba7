"""A verification from Python: what ``tuner verify`` asks for, and its result as a frame."""

from pathlib import Path

import pandas as pd
from rich.console import Console

from trainables.measuring.attack_text import parse_attack
from trainables.radii import parse_radii
from tuner.api.radii import Radii, radii_in_text
from tuner.storage.directory import StudyDirectory
from tuner.study_names import opened
from tuner.verification.doing import verify_and_show
from tuner.verification.measured import Verification, load_verification
from tuner.verification.plan import Asked
from tuner.verification.table import verification_rows

ENDS = ("sd", "low", "high")


def asked(
    seeds: int,
    attack: str,
    epsilon: Radii | None,
    *,
    neighbours: int,
    images: int | None,
    gates: bool,
    seed: int,
) -> Asked:
    """What ``tuner verify`` asks for on its command line; see there.

    Raises:
        ValueError: for an attack or a radius that does not exist, or a count out of range.
    """
    for name, count, least in (("seeds", seeds, 1), ("neighbours", neighbours, 0)):
        if count < least:
            raise ValueError(f"{name} must be at least {least}, got {count}")
    if images is not None and images < 1:
        raise ValueError(f"images must be at least 1, got {images}")
    radii = parse_radii(radii_in_text(epsilon))
    return Asked(seeds, parse_attack(attack), radii, neighbours, images, gates, seed)


def verify(
    directory: StudyDirectory, what: Asked, console: Console, address: str | None
) -> Verification:
    """Measure; at a URL, what was written is put there, also if it was interrupted."""
    with opened(str(directory)) as place:
        return verify_and_show(place, what, console, address)


def verified_frame(found: Verification) -> pd.DataFrame:
    """A row per config that was measured, by ``trial``; accuracies in [0, 1], means over seeds.

    Columns: why it is there (``role``), where it stands (``on_front``, ``knee``, ``beaten_by``,
    ``within_noise``), ``masked_seeds``, what validation had said (``val/…``), and a ``test/…``
    accuracy per attack and radius with ``…_sd`` over its seeds and ``…_low`` to ``…_high``, the
    95 % interval of the choice of seeds and images.
    """
    rows = [{_name(key): value for key, value in row.items()} for row in verification_rows(found)]
    frame = pd.DataFrame(rows).set_index("trial")
    return frame.astype({name: float for name in frame if "/" in str(name)})  # unknown: NaN


def _name(heading: str) -> str:
    """As in the other frames: the end of an interval behind its metric."""
    end, _, metric = heading.partition(" ")
    return f"{metric}_{end}" if end in ENDS else heading


def need_verification(directory: Path) -> Verification:
    """What was measured of the study.

    Raises:
        ValueError: if nobody has verified it.
    """
    found = load_verification(directory)
    if found is None:
        raise ValueError(
            f"the test split of study {directory} has not been opened; measure its front there "
            "with: study.verify()"
        )
    return found
