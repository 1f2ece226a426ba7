"""Facts of a package in words, and the Markdown that they stand in."""

import platform
from collections.abc import Sequence
from pathlib import Path

from trainables.config import TrialConfig
from trainables.measuring.intervals import wilson
from tuner.packaging.making import Package
from tuner.quantities import attack_name, radius

NORMS = {"linf": "Linf", "l2": "L2"}


def threat_words(package: Package) -> str:
    """``changes of at most Linf 8/255``."""
    threat = package.target.config.threat
    return (
        f"changes of an image in [0, 1] of at most {radius(threat.epsilon)} in {NORMS[threat.norm]}"
    )


def target_attack(package: Package) -> str:
    """The validation attack, by which the programs are checked."""
    return attack_name(package.target.config.model_dump(mode="json"))


def loss_in_words(config: TrialConfig) -> str:
    """The method and the weights of what is added to it."""
    terms = [
        f"{term.weight:.3g} {name} ({term.symbol})"
        for name, term in config.alignments.active().items()
    ]
    return " + ".join([config.method_name, *terms])


def cpu() -> str:
    """The processor's name, as far as the system tells it."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def row(under: str, images: str, total: int, correct: int) -> list[str]:
    """A line of the table of accuracies."""
    low, high = wilson(correct / total, total)
    share = f"{100 * correct / total:.1f}"
    return [under, images, str(total), share, f"{100 * low:.1f} to {100 * high:.1f}"]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *([markdown(cell) for cell in one] for one in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def markdown(text: str) -> str:
    """Text that stays what it is, in a table, too: on one line, no HTML, no link or picture."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    for character, written in {"&": "&amp;", "<": "&lt;", "|": "\\|", "[": "\\["}.items():
        plain = plain.replace(character, written)
    return plain
