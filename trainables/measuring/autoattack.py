"""AutoAttack (Croce & Hein, 2020) through ``pyautoattack``: seeded, in chunks, resumable.

Every chunk of images is attacked under a seed of its own, so that going on after a stop gives what
an uninterrupted run gives, and one chunk gives what the library itself gives under that seed.
"""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from trainables.data import Split
from trainables.evaluation import correct
from trainables.frozen import Frozen, fingerprint
from trainables.measuring.autoattack_parts import PART_NAMES, PARTS, Part, is_installed, survivors
from trainables.measuring.autoattack_state import Progress
from trainables.measuring.named_attacks import ball
from trainables.measuring.undisturbed import undisturbed
from trainables.models import Network
from trainables.threat import ThreatModel

STANDARD_QUERIES = 5000


class AutoAttack(Frozen):
    """Which parts attack, and how.

    With 2 or 3 classes the targeted DLR loss does not exist; APGD-T then maximises the plain
    margin of each target. Targets of APGD-T and FAB-T: 9, or all other classes if there are fewer.
    """

    parts: tuple[Part, ...] = Field(
        PARTS, min_length=1, description="in this order; all four are the standard version"
    )
    cascade: bool = Field(
        True,
        description="each part attacks only what the parts before it left, as in the standard "
        "version; false: each part attacks every image that is classified right",
    )
    square_queries: int = Field(
        STANDARD_QUERIES, ge=1, description="queries of Square per image; 5000 is standard"
    )
    chunk_size: int = Field(250, ge=1, description="images attacked together, under one seed")

    @field_validator("parts")
    @classmethod
    def _each_once(cls, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        if len(set(parts)) < len(parts):
            raise ValueError(f"each part of AutoAttack at most once, got {', '.join(parts)}")
        return parts

    @property
    def name(self) -> str:
        """``AutoAttack (standard)``, or the parts: ``APGD-CE + APGD-T``."""
        standard = self.parts == PARTS and self.cascade
        listed = " + ".join(PART_NAMES[part] for part in self.parts)
        shorter = "square" in self.parts and self.square_queries != STANDARD_QUERIES
        who = "" if self.parts == ("square",) else "Square "
        queries = f"{who}{self.square_queries} queries" if shorter else ""
        if standard:
            return f"AutoAttack ({queries or 'standard'})"
        return f"{listed} ({queries})" if queries else listed

    def label(self, threat: ThreatModel) -> str:
        """The name and the ball: ``AutoAttack (standard, Linf 8/255)``."""
        if self.name.endswith(")"):
            return f"{self.name[:-1]}, {ball(threat)})"
        return f"{self.name} ({ball(threat)})"

    @property
    def key(self) -> str:
        """The name as part of a metric's: ``autoattack``, ``apgd_ce_apgd_t``."""
        base = "_".join(self.parts).replace("-", "_") if self.parts != PARTS else "autoattack"
        alone = "" if self.cascade or len(self.parts) == 1 else "_alone"
        shorter = "square" in self.parts and self.square_queries != STANDARD_QUERIES
        return f"{base}{alone}{f'_{self.square_queries}queries' if shorter else ''}"


@dataclass(frozen=True)
class AutoAttackResult:
    """Which images held.

    Attributes:
        robust_after: by part, flags ``(count,)`` of the images that are classified right and that
            the part left standing; in a cascade, that all parts up to it did.
        warnings: what the library suspects of the network: randomness, probabilities as logits,
            zero gradients, an optimisation loop inside.
    """

    robust_after: dict[Part, Tensor]
    warnings: tuple[str, ...]

    @property
    def robust(self) -> Tensor:
        """Flags ``(count,)`` of the images that held against every part."""
        return torch.stack(list(self.robust_after.values())).all(dim=0)


def chunk_seed(seed: int, chunk: int) -> int:
    """The library's seed for a chunk: nothing else decides its randomness."""
    return seed * 100_003 + chunk


def autoattack(
    network: Network,
    split: Split,
    threat: ThreatModel,
    attack: AutoAttack,
    *,
    seed: int,
    state: Path | None = None,
) -> AutoAttackResult:
    """Attack every image of the split; the network in eval mode, in float32, left as it was.

    Args:
        network: gives logits of images in [0, 1]; logits that are not finite are wrong.
        split: at least one image, with its labels.
        threat: norm and radius.
        attack: the parts.
        seed: of the whole run, >= 0.
        state: a file in which to keep what is found; a run that was stopped goes on from it.

    Raises:
        ValueError: if ``state`` belongs to another run, a part cannot work on these images, or the
            library is not installed.
    """
    if not is_installed():
        raise ValueError("AutoAttack needs a package: pip install pyautoattack==0.2.0")
    progress = Progress(state, identity(network, split, threat, attack, seed))
    size = attack.chunk_size
    chunks = split.chunks(size)
    with undisturbed(network):
        found = [
            _attack_chunk(
                network, Split(*chunk), attack, progress, number=i, seed=seed, threat=threat
            )
            for i, chunk in enumerate(chunks)
        ]
    flags = {part: torch.cat([chunk[part] for chunk in found]) for part in attack.parts}
    return AutoAttackResult(flags, tuple(progress.warnings))


def _attack_chunk(
    network: Network,
    chunk: Split,
    attack: AutoAttack,
    progress: Progress,
    *,
    number: int,
    seed: int,
    threat: ThreatModel,
) -> dict[Part, Tensor]:
    with torch.no_grad():
        right = correct(network, chunk.images, chunk.labels)
    flags: dict[Part, Tensor] = {}
    standing = right
    for part in attack.parts:
        before = standing if attack.cascade else right
        known = progress.flags(number, part, before.device)
        if known is None:
            known, warnings = before.clone(), list[str]()
            if before.any():
                known[before], warnings = survivors(
                    network,
                    chunk.images[before],
                    chunk.labels[before],
                    part,
                    threat=threat,
                    seed=chunk_seed(seed, number),
                    square_queries=attack.square_queries,
                )
            progress.record(number, part, known, warnings)
        flags[part] = standing = known
    return flags


def identity(  # noqa: PLR0917 - what is attacked, then with what
    network: nn.Module, split: Split, threat: ThreatModel, attack: AutoAttack, seed: int
) -> str:
    """Fingerprint of all that decides the flags: weights, normalisation, images, settings, seed."""
    digest = hashlib.sha256(f"{network}".encode())
    named = {**network.state_dict(), **dict(network.named_buffers())}  # some are not persistent
    for name, values in {**named, "images": split.images, "labels": split.labels}.items():
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    library = version("pyautoattack") if is_installed() else None
    settings = (fingerprint(threat), fingerprint(attack), seed, library)
    digest.update(repr(settings).encode())
    return digest.hexdigest()[:16]
