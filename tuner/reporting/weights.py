"""What the weights do, as a section of the report: small pictures, and shares as bars."""

from html import escape

from tuner.analysis.importance import importances
from tuner.analysis.importance_view import MEANING, ordered
from tuner.analysis.results import Results
from tuner.analysis.tables import attack_sentence, images_sentence
from tuner.pictures.small import weight_pictures
from tuner.quantities import words
from tuner.reporting.page import note, scrolling_table


def weights_section(results: Results) -> str:
    """A picture per weight and objective, and which parameter matters for which objective."""
    if not results.searched:
        return ""
    legend = (
        "One dot per searched trial, the front in red; weights on a logarithmic axis, a weight of "
        f"0 at its left end. Accuracy {images_sentence(results)}; robust: "
        f"{attack_sentence(results)}."
    )
    return note(legend) + weight_pictures(results) + _importances(results)


def _importances(results: Results) -> str:
    try:
        found = importances(results)
    except ValueError as error:  # too few trials to say
        return note(f"Which parameter matters is not known: {error}.")
    head = "".join(f'<th class="text">{escape(words(metric))}</th>' for metric in found)
    body = "".join(
        f'<tr><td class="text">{escape(name)}</td>'
        f"{''.join(_bar(shares.get(name, 0.0)) for shares in found.values())}</tr>"
        for name in ordered(found)
    )
    told = (
        f"Importance: {MEANING['fanova']}, of {len(results.searched)} searched trials. Few trials "
        "give rough shares."
    )
    return scrolling_table(f'<th class="text">parameter</th>{head}', body) + note(told)


def _bar(share: float) -> str:
    """A cell with a number and a bar; ``share`` in [0, 1]."""
    bar = f'<span><i style="width:{100 * share:.1f}%"></i></span>'
    return f'<td class="text share"><b>{100 * share:.0f} %</b>{bar}</td>'
