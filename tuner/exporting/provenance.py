"""Where a config comes from: the study and trial, its seeds and numbers, commit and versions.

In YAML it is written as comments, so that the file stays a config and nothing else; the comments
are YAML themselves, so that whoever trains the config can hand them on.
"""

from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from trainables.frozen import Frozen, fingerprint
from tuner.analysis.replicates import groups
from tuner.analysis.results import Results
from tuner.exporting.commented_yaml import as_yaml
from tuner.exporting.made_with import commit, versions
from tuner.exporting.verified import Verified, verified_numbers
from tuner.plain_yaml import parse_yaml
from tuner.quantities import attack_name, measured, num_images
from tuner.records import TrialRecord
from tuner.verification.measured import Verification

KEY = "provenance"


class Exported(Frozen):
    """When and by what a config was written."""

    at: str = Field(description="ISO 8601, UTC")
    commit: str | None = Field(description="of this project; None outside a checkout")
    versions: dict[str, str] = Field(description="of Python, this project and its libraries")


class Provenance(Frozen):
    """Everything about a trial that its config does not say."""

    study: str = Field(description="its name")
    trial: int = Field(description="number in the study")
    label: str = Field(description="searched, paper, or the name of a baseline")
    pair: str = Field(description="teacher > student")
    seeds: tuple[int, ...] = Field(min_length=1, description="what the metrics are means over")
    split: str = Field(description="whose images were measured")
    images: int | None = Field(description="how many; None where it was not reported")
    attack: str = Field(description="behind the robust accuracy")
    metrics: dict[str, float] = Field(description="the objectives; accuracies in [0, 1]")
    standard_deviations: dict[str, float] = Field(description="over the seeds (n - 1)")
    ended: str | None = Field(description="when the trial ended; ISO 8601, UTC")
    config: str = Field(description="fingerprint of the config that was measured")
    exported: Exported
    verified: Verified | None = Field(None, description="by tuner verify; None: not yet")
    changed: bool = Field(False, description="whether the config is no longer that one")

    def sentences(self) -> list[str]:
        """For people: which trial of which study, and what it was measured to be."""
        images = f"{self.images} " if self.images else ""
        mean = f", means of {len(self.seeds)} seeds" if len(self.seeds) > 1 else ""
        lines = [
            f"study {self.study}, trial {self.trial} ({self.label})",
            self.pair,
            f"measured on {images}{self.split} images: {measured(self.metrics)}{mean}",
            f"under {self.attack}",
            *([self.verified.sentence()] if self.verified else []),
        ]
        return [*lines, "the config was changed since"] if self.changed else lines


def provenance_of(
    results: Results, record: TrialRecord, found: Verification | None = None
) -> Provenance:
    """Where a trial's config comes from, and what a verification of the study says of it."""
    return Provenance(
        study=results.study.name,
        trial=record.number,
        label=record.label,
        pair=record.pair,
        seeds=seeds_of(results, record),
        split="validation",
        images=num_images(record),
        attack=attack_name(record.config),
        metrics=dict(record.values),
        standard_deviations=dict(record.spread),
        ended=_moment(record.ended),
        config=fingerprint(record.config),
        verified=verified_numbers(found, record.number),
        exported=Exported(at=str(_moment(datetime.now(UTC))), commit=commit(), versions=versions()),
    )


def seeds_of(results: Results, record: TrialRecord) -> tuple[int, ...]:
    """Seeds that the trial's numbers are means over."""
    members = groups(results.records).get(record.number, []) if record.replicates > 1 else []
    return tuple(int(member.config["seed"]) for member in members or [record])


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


def as_comments(provenance: Provenance) -> str:
    """Lines that begin with ``#``; without the marks they are YAML under one key."""
    text = as_yaml({KEY: provenance.model_dump(mode="json")})
    return "".join(f"# {line}\n" for line in text.splitlines())


def from_comments(text: str) -> Provenance | None:
    """What :func:`as_comments` wrote into a file's comments; None where nothing is said."""
    head = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")]
    if f"{KEY}:" not in head:
        return None
    block = [f"{KEY}:"]
    for line in head[head.index(f"{KEY}:") + 1 :]:
        if not line.startswith(" "):
            break
        block.append(line)
    try:
        return _validated(parse_yaml("\n".join(block))[KEY])
    except ValueError:
        return None  # somebody wrote into the comments: they no longer say what we did


def read_provenance(path: Path) -> Provenance | None:
    """What a config's file says of its origin, as comments (YAML) or under a key (JSON)."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return _validated(parse_yaml(text).get(KEY))
    return from_comments(text)


def _validated(content: object) -> Provenance | None:
    try:
        return Provenance.model_validate(content)
    except ValidationError:
        return None
