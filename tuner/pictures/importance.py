"""Importance of each parameter for each objective, as a picture."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from trainables.diagnostics.pictures import as_png
from tuner.analysis.results import Results
from tuner.quantities import words
from tuner.storage.atomic import write_atomically

Importances = Mapping[str, Mapping[str, float]]
INK, FAINT = "#1d2330", "#e6e8ec"
COLOURS = ("#1f5fa8", "#c8102e", "#0f7b6c", "#7a3fa0")
MOST = 16
"""Parameters shown; of more, the largest shares."""


def known_importances(results: Results) -> Importances:
    """Shares by objective, as ``importance.importances``; empty while there are too few trials."""
    from tuner.analysis.importance import importances  # heavy: scikit-learn

    try:
        return importances(results)
    except ValueError:
        return {}


def write_importance_png(results: Results, shares: Importances, path: Path) -> Path:
    """Draw a bar per parameter and objective; 200 pixels per inch.

    Args:
        results: the study that the shares are of.
        shares: by objective, share of each parameter in its spread, in [0, 1].
        path: the picture.
    """
    names = _largest(shares)
    figure = Figure(figsize=(8, 1.5 + 0.36 * len(names)), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    height = 0.8 / len(shares)
    for row, (metric, share) in enumerate(shares.items()):
        places = [place + (len(shares) / 2 - row - 0.5) * height for place in range(len(names))]
        widths = [100 * share.get(name, 0.0) for name in names]
        axes.barh(places, widths, height * 0.9, color=COLOURS[row], label=words(metric))
    axes.set_yticks(range(len(names)), names, fontsize=9, color=INK)
    axes.set_xlabel("share in the spread of the objective, % (fANOVA)", color=INK)
    number = f"{len(results.searched)} searched complete trials"
    title = f"{results.study.name}: which parameter matters, over {number}"
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.grid(axis="x", color=FAINT)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right", fontsize=9)
    return write_atomically(path, as_png(figure))


def _largest(shares: Importances) -> list[str]:
    """Names of the parameters with the largest shares, the largest last."""
    names = dict.fromkeys(name for share in shares.values() for name in share)

    def largest(name: str) -> float:
        return max(share.get(name, 0.0) for share in shares.values())

    return sorted(names, key=largest)[-MOST:]
