"""A verification as rows: for files, for the terminal, and in sentences."""

from typing import Any

from rich.table import Table
from rich.text import Text

from tuner.analysis.results import Results
from tuner.analysis.tables import constraints_sentence, plain_table
from tuner.quantities import radius, written
from tuner.verification.measured import CLEAN, Optimism, Verification, VerifiedMember
from tuner.verification.statistics import Estimate

Row = dict[str, Any]


def verification_rows(found: Verification) -> list[Row]:
    """A row per member as JSON types; accuracies in [0, 1], None where something is not known."""
    return [_row(found, member) for member in found.members]


def _row(found: Verification, member: VerifiedMember) -> Row:
    known = bool(member.runs)
    beaten = found.beaten_by(member) if known else []
    row: Row = {
        "trial": member.trial,
        "role": member.role,
        "why": member.why,
        "label": member.label,
        "student": member.record({}).student,
        "seeds": len(member.runs),
        "failed": "; ".join(f"seed {seed}: {why}" for seed, why in member.failures.items()),
        "on_front": known and found.is_on_front(member),
        "knee": known and member.trial == found.results.knee.number,
        "beaten_by": " ".join(str(other.trial) for other in beaten),
        "within_noise": bool(beaten) and all(found.within_noise(member, o) for o in beaten),
        "masked_seeds": " ".join(map(str, member.masked)),
        **{metric: member.validation.get(metric) for metric in found.source},
    }
    for name, (key, epsilon) in columns(found).items():
        row |= _estimated(name, member.estimate(key, epsilon) if known else None)
    return row


def columns(found: Verification) -> dict[str, tuple[str, float]]:
    """Attack and radius by the metric's name: ``test/autoattack_accuracy``, ``…_at_0.1``.

    Without a radius in its name it is the study's own.
    """
    own = found.threat.epsilon
    attacked = {
        f"test/{key}_accuracy{'' if epsilon == own else f'_at_{epsilon:.4g}'}": (key, epsilon)
        for key in dict.fromkeys((found.validation_attack, found.attack))
        for epsilon in found.epsilons
    }
    return {"test/clean_accuracy": (CLEAN, 0.0), **attacked}


def _estimated(name: str, estimate: Estimate | None) -> Row:
    low, high = estimate.interval if estimate else (None, None)
    return {
        name: estimate.mean if estimate else None,
        f"sd {name}": estimate.sd if estimate else None,
        f"low {name}": low,
        f"high {name}": high,
    }


def verification_table(found: Verification) -> Table:
    """The verified front, then who is beaten, then the baselines."""
    table = plain_table(f"Verified front of {found.study.name}", caption=caption(found))
    for heading in headings(found):
        text = heading in {"student", "verdict"}
        table.add_column(
            heading, justify="left" if text else "right", no_wrap=not text, overflow="fold"
        )
    for part in parts(found).values():
        for member in part:
            style = "bold" if found.is_on_front(member) else "dim" if member.is_baseline else ""
            table.add_row(*map(Text, cells(found, member, "\n")), style=style)
        table.add_section()
    return table


def parts(found: Verification) -> dict[str, list[VerifiedMember]]:
    """Who stands together: the verified front, those it beats, and the baselines it beats."""
    order = {record.number: i for i, record in enumerate(found.results.front)}
    front = [member for member in found.measured if member.trial in order]
    beaten = [member for member in found.measured if member.trial not in order]
    named = {
        "The verified front": sorted(front, key=lambda member: order[member.trial]),
        "Beaten": [member for member in beaten if not member.is_baseline],
        "Baselines": [member for member in beaten if member.is_baseline],
    }
    return {name: members for name, members in named.items() if members}


def headings(found: Verification) -> list[str]:
    """Names of the columns of ``cells``."""
    others = [f"at {radius(e)}" for e in found.epsilons if e != found.threat.epsilon]
    return ["#", "clean %", "robust %", *others, "student", "verdict"]


def cells(found: Verification, member: VerifiedMember, gap: str) -> list[str]:
    """A member as a person reads it; ``gap`` comes before an interval."""
    own = found.threat.epsilon
    others = [member.estimate(found.attack, e) for e in found.epsilons if e != own]
    return [
        str(member.trial),
        with_interval(member.estimate(CLEAN, 0.0), gap),
        with_interval(member.estimate(found.attack, own), gap),
        *(f"{100 * estimate.mean:.1f}" for estimate in others),
        member.record({}).student,
        verdict(found, member),
    ]


def with_interval(estimate: Estimate, gap: str) -> str:
    """``96.7 ±0.5 (94.0-98.2)``: mean, standard deviation over seeds, 95 % interval."""
    spread = "" if estimate.sd is None else f" ±{100 * estimate.sd:.1f}"
    low, high = estimate.interval
    return f"{100 * estimate.mean:.1f}{spread}{gap}({100 * low:.1f}-{100 * high:.1f})"


def verdict(found: Verification, member: VerifiedMember) -> str:
    """Where the member stands, by whom it is beaten, and what is in doubt."""
    words = [] if member.label == "searched" else [member.label]
    if found.is_on_front(member):
        words.append("knee" if member.trial == found.results.knee.number else "front")
    elif beaten := found.beaten_by(member):
        noise = all(found.within_noise(member, other) for other in beaten)
        names = ", ".join(str(other.trial) for other in beaten[:3])
        more = f" and {len(beaten) - 3} more" if len(beaten) > 3 else ""
        words.append(f"beaten by {names}{more}{' within noise' if noise else ''}")
    else:
        words.append("breaks the constraints")
    if len(member.runs) < found.seeds:
        words.append(f"{len(member.runs)} of {found.seeds} seeds")
    if member.masked:
        words.append(f"masked gradients in seed {', '.join(map(str, member.masked))}")
    return ", ".join(words)


def caption(found: Verification) -> str:
    """Under what conditions the numbers hold."""
    norm = {"linf": "Linf", "l2": "L2"}[found.threat.norm]
    return (
        f"{means(found)}, on {found.images:,} "
        f"test images; robust: {found.attack_name}, {norm} epsilon "
        f"{radius(found.threat.epsilon)}. In brackets: 95 % intervals of the "
        "choice of seeds and images together. Within noise: the intervals overlap on every "
        f"accuracy.{constraints_sentence(found.results)}"
    )


def means(found: Verification) -> str:
    """Over how many seeds the values are."""
    if found.seeds == 1:
        return "One seed per config"
    return f"Means over up to {found.seeds} seeds ± their standard deviation"


def sentences(found: Verification) -> list[str]:
    """What the numbers say: who fell, how lucky validation was, what to doubt, what failed."""
    if not found.measured:
        return ["Nothing could be measured on the test split.", *_failures(found)]
    return [*_fallen(found), *_optimism(found), *_masking(found), *_failures(found)]


def _fallen(found: Verification) -> list[str]:
    front = [member for member in found.measured if member.role == "front"]
    fallen = [member for member in front if not found.is_on_front(member)]
    risen = [m for m in found.measured if m.role != "front" and found.is_on_front(m)]
    count = f"{len(front) - len(fallen)} of the {len(front)} trials on the validation front stay"
    beaten = [member for member in fallen if found.beaten_by(member)]
    bad = [member for member in fallen if member not in beaten]
    gone = f"; beaten now: {_numbers(beaten)}" if beaten else ""
    gone += f"; beyond the constraints now: {_numbers(bad)}" if bad else ""
    new = f"; new on it: {_numbers(risen)}" if risen else ""
    return [f"{count}{gone}{new}."]


def _numbers(members: list[VerifiedMember]) -> str:
    return ", ".join(str(member.trial) for member in members)


def _optimism(found: Verification) -> list[str]:
    chosen = [m for m in found.measured if m.role == "front" and not m.is_baseline]
    groups = {"chosen": chosen, "baselines": [m for m in found.measured if m.is_baseline]}
    lost = {name: found.optimism(members) for name, members in groups.items() if members}
    told = [
        f"{_group(name, groups[name])} {_points(gone, 'val/clean_accuracy')} clean, "
        f"{_points(gone, 'val/robust_accuracy')} robust"
        for name, gone in lost.items()
    ]
    left = {name: found.left_by_attack(groups[name]) for name in lost}
    kept = [f"{100 * share:.0f} % ({name})" for name, share in left.items() if share is not None]
    bias = (
        "Selection bias, validation minus test under the study's own attack, in points (95 % "
        f"interval of the choice of images): {'; '.join(told)}."
    )
    if not kept:
        return [bias]
    weaker = any(share is not None and share > 1 for share in left.values())
    warning = "; more than all: it is the weaker attack, do not trust it" if weaker else ""
    return [
        bias,
        f"Of what that attack leaves on the test split, {found.attack_name} leaves "
        f"{', '.join(kept)}{warning}.",
    ]


def _masking(found: Verification) -> list[str]:
    asked = [(m.trial, run) for m in found.measured for run in m.runs if run.verdict is not None]
    if not asked:
        return ["Masked gradients were not looked for."]
    doubted = [(trial, run) for trial, run in asked if run.verdict != "plausible"]
    return [
        f"Gates against masked gradients: {len(asked) - len(doubted)} of {len(asked)} students are "
        "plausible.",
        *(f"trial {trial} seed {run.seed}: {run.verdict}." for trial, run in doubted),
    ]


def _group(name: str, members: list[VerifiedMember]) -> str:
    return f"{name} ({len(members)} config{'s' if len(members) > 1 else ''})"


def _points(lost: dict[str, Optimism], name: str) -> str:
    if name not in lost:
        return "not measured"
    mean, interval = lost[name]
    return _signed(mean) + (f" ({' to '.join(map(_signed, interval))})" if interval else "")


def _signed(share: float) -> str:
    return f"{round(100 * share, 1) + 0.0:+.1f}"  # + 0.0: no minus before a zero


def _failures(found: Verification) -> list[str]:
    return [
        f"trial {member.trial} seed {seed} could not be verified: {reason}"
        for member in found.members
        for seed, reason in member.failures.items()
    ]


def stale_sentence(found: Verification, results: Results) -> str:
    """Which members of the front are not verified, and what to do; empty where all are."""
    missing = found.unverified(results)
    if not missing:
        return ""
    numbers = ", ".join(str(record.number) for record in missing)
    verb = "is" if len(missing) == 1 else "are"
    return (
        f"trial {numbers} came onto the front after the verification of {found.created[:10]} and "
        f"{verb} not verified; bring it up to date with: tuner verify"
    )


def values_sentence(found: Verification, member: VerifiedMember) -> str:
    """The verified numbers of a member in a line, with attack and n."""
    clean = member.estimate(CLEAN, 0.0)
    robust = member.estimate(found.attack, found.threat.epsilon)
    return (
        f"{written('accuracy', clean.mean)} % clean, {written('accuracy', robust.mean)} % under "
        f"{found.attack_name} at {found.threat.norm} epsilon {radius(found.threat.epsilon)}, "
        f"{found.images:,} test images, {len(member.runs)} seed{'s' * (len(member.runs) != 1)}"
    )
