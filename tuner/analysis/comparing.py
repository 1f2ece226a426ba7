"""What ``tuner compare`` does: a table, a picture, and both as JSON."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuner.analysis.bootstrap import Interval
from tuner.analysis.comparison import Comparison, Contender, Part, Row, parts, whole_studies
from tuner.analysis.tables import attack_sentence, images_sentence, plain_table, row
from tuner.exporting.doing import unwritable
from tuner.pictures.comparison import comparison_png
from tuner.quantities import count
from tuner.showing import results_of
from tuner.storage.atomic import write_atomically
from tuner.storage.directory import StudyDirectory
from tuner.study_names import RUNS

COVERS = (
    "Over trials: 95 % of the hypervolumes of as many configs drawn from these with replacement: "
    "how much hangs on single trials. Over images: where the same configs lie on images without "
    "end; below what was found, as a front picks lucky draws. Neither says what another search "
    "would find. Validation numbers, chosen on these images."
)


def compare_and_show(
    places: Sequence[StudyDirectory],
    by: Part | None,
    output: Path | None,
    console: Console,
    *,
    seed: int,
) -> None:
    """Compare studies, or the parts of one; print the table and write picture and JSON.

    Raises:
        ValueError: if they cannot be compared, there is only one thing to compare, or ``output`` is
            no PNG.
        OSError: if the files cannot be written.
    """
    comparison = Comparison(contenders_of(places, by), seed)
    title = file_name(places, by)
    path = output or RUNS / f"compare-{title}.png"
    if path.suffix != ".png":
        raise ValueError(f"--output {path} must end in .png; the numbers go into a .json beside it")
    picture = comparison_png(comparison, f"{title}: fronts compared")
    console.print(comparison_table(comparison))
    console.print(_verdict(comparison), soft_wrap=True, markup=False)
    written = json.dumps(as_json(comparison), indent=2, allow_nan=False) + "\n"
    try:
        write_atomically(path, picture)
        numbers = write_atomically(path.with_suffix(".json"), written)
    except OSError as error:
        raise unwritable(path, error) from error
    console.print(f"numbers: {numbers}", soft_wrap=True, markup=False)
    console.print(f"plot:    {path}", soft_wrap=True, markup=False)


def contenders_of(places: Sequence[StudyDirectory], by: Part | None) -> list[Contender]:
    """Who is compared with whom.

    Raises:
        ValueError: if that is one study as a whole, or one study twice, or parts of several.
    """
    different = list(dict.fromkeys(place.path.resolve() for place in places))
    if by is None and len(different) < 2:
        raise ValueError(
            f"one study ({places[0]}) has nothing to be compared with; name another, or "
            "compare its parts with --by method, student or teacher"
        )
    if by and len(places) > 1:
        raise ValueError(f"--by {by} compares the parts of one study, got {len(places)} studies")
    if by:
        return parts(results_of(places[0]), by)
    return whole_studies([(name, results_of(place)) for name, place in _named(places).items()])


def _named(places: Sequence[StudyDirectory]) -> dict[str, StudyDirectory]:
    """Different studies by the names of their folders, or by their paths where those are equal."""
    different = {place.path.resolve(): place for place in places}
    folders = Counter(path.name for path in different)
    return {
        path.name if folders[path.name] == 1 else str(place): place
        for path, place in different.items()
    }


def file_name(places: Sequence[StudyDirectory], by: Part | None) -> str:
    """``digits-by-method``, ``digits-vs-cifar``; of equal folders ``a-digits-vs-b-digits``."""
    names = "-vs-".join(re.sub("[/:]+", "-", name).strip("-.") for name in _named(places))
    return f"{names}-by-{by}" if by else names


def comparison_table(comparison: Comparison) -> Table:
    """A line per contender; under it, what the intervals cover."""
    union = comparison.union
    how = f"Accuracy {images_sentence(union)}; robust: {attack_sentence(union)}."
    table = plain_table("Fronts compared", caption=f"{how} {COVERS}")
    table.add_column("front", overflow="fold")
    for heading in ("configs", "unbeaten", "hypervolume", "over trials", "over images"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in comparison.rows:
        table.add_row(
            Text(one.contender.name),
            str(len(one.contender.results.complete)),
            str(len(one.on_front)),
            count(one.hypervolume),
            _written(one.over_trials),
            "-" if one.over_images is None else _written(one.over_images),
        )
    return table


def _written(interval: Interval) -> str:
    return f"{count(interval[0])}–{count(interval[1])}"


def _verdict(comparison: Comparison) -> str:
    """Whether all intervals of the first lie above all of the second."""
    first, second, *_ = comparison.rows
    names = f"{first.contender.name} and {second.contender.name}"
    if first.hull[0] > second.hull[1]:
        return f"The intervals of {names} do not overlap."
    return f"The intervals of {names} overlap: their difference may be chance."


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Everything in the table, the trials behind it, and what the intervals cover."""
    union = comparison.union
    return {
        "objectives": [o.model_dump() for o in union.study.objectives],
        "reference": comparison.reference.tolist(),
        "reference_is": "losses: an accuracy that is maximised has its sign turned",
        "attack": attack_sentence(union),
        "accuracies": images_sentence(union),
        "intervals": {"level": 0.95, "seed": comparison.seed, "cover": COVERS},
        "fronts": [_row(one) for one in comparison.rows],
    }


def _row(one: Row) -> dict[str, Any]:
    results = one.contender.results
    return {
        "name": one.contender.name,
        "study": results.study.name,
        "configs": len(results.complete),
        "hypervolume": one.hypervolume,
        "over_trials": one.over_trials,
        "over_images": one.over_images,
        "unbeaten": one.on_front,
        "front": [row(results, record) for record in results.front],
    }
