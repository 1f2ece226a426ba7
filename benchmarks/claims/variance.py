"""Claims 7 to 11: covariance and Gram alignment (Dong et al., ECCV 2024)."""

import math
import statistics
from collections.abc import Sequence

from benchmarks.claims import pictures
from benchmarks.claims.claim import NOT, PARTLY, REPRODUCED, Claim, Evidence, Finding
from benchmarks.claims.numbers import Gain, percent, table
from benchmarks.claims.plan import BATCH_TERMS, BATCHES, CNN, RADII, SIZES
from benchmarks.claims.terms import ALL, LOGITS, ablation, over
from trainables.diagnostics.correlation import Correlation, correlation

DONG = (
    "Dong et al., ECCV 2024, as summarised by others; no code is public, the tables were not seen"
)


def line(evidence: Evidence) -> Finding:
    rows = [
        "| students | r within a model, over radii | r across models at 0.2 |",
        "|---|---|---|",
    ]
    within: list[float] = []
    between: list[Correlation] = []
    for name, group in (
        ("methods", evidence.groups["methods"]),
        ("terms", evidence.groups["ablation"]),
    ):
        rs: list[float] = []
        last: tuple[list[float], list[float]] = ([], [])
        for label in group.labels:
            gaps = [group.values(label, f"features/relative_variance_gap@{r:g}") for r in RADII]
            robust = [group.values(label, f"accuracy/margin@{r:g}") for r in RADII]
            for seed in range(len(gaps[0])):
                x, y = [g[seed] for g in gaps], [a[seed] for a in robust]
                rs.append(correlation(x, y).r)
                last[0].append(x[-1])
                last[1].append(y[-1])
        within += [r for r in rs if not math.isnan(r)]
        between.append(correlation(*last))
        strong = sum(abs(r) > 0.9 for r in rs)
        rows.append(
            f"| {name} ({len(rs)}) | median {statistics.median(rs):+.2f}; above 0.9 in size: "
            f"{strong} of {len(rs)}; negative: {sum(r < 0 for r in rs)} | {between[-1]} |"
        )
    methods = evidence.groups["methods"]
    shown = ("KD", "KDIGA", "PGD-AT", "TRADES", "RSLAD", "variance gap")
    pictures.tracks(
        evidence.pictures / "claim08.png",
        "Robust accuracy against the variance gap at four radii, means over seeds",
        ("variance gap, relative to the clean variance", "robust accuracy, %"),
        {
            label: tuple(
                [statistics.fmean(methods.values(label, f"{quantity}@{r:g}")) for r in RADII]
                for quantity in ("features/relative_variance_gap", "accuracy/margin")
            )
            for label in shown
        },
    )
    return Finding(
        "\n".join(rows), "claim08.png", _verdict(within, between), _because(within, between)
    )


def _verdict(within: Sequence[float], between: Sequence[Correlation]) -> str:
    falls = statistics.median(within) < -0.9
    strong = sum(abs(r) > 0.9 for r in within) > 0.5 * len(within)
    across = all(c.r < -0.9 for c in between)
    return REPRODUCED if falls and across else PARTLY if strong or falls else NOT


def _because(within: Sequence[float], between: Sequence[Correlation]) -> str:
    negative = sum(r < 0 for r in within)
    return (
        f"Within a model the gap is close to linear in robust accuracy (median |r| "
        f"{statistics.median(abs(r) for r in within):.2f}), but the sign is "
        f"{'mostly negative, as claimed' if negative > len(within) / 2 else 'mostly positive'}: "
        f"negative in {negative} of {len(within)} models (those of constant accuracy have no r). "
        "Where adversarial features vary less "
        "than clean ones, the gap is negative and falls with the radius as the accuracy does. "
        f"Across models at one radius r is {' and '.join(f'{c.r:+.2f}' for c in between)}."
    )


def attacks(evidence: Evidence) -> Finding:
    results = evidence.groups["ablation"]
    quantities = {
        **{f"margin PGD-20 at {r:g}": f"accuracy/margin@{r:g}" for r in RADII},
        "CE PGD-20 at 0.2": "accuracy/ce@0.2",
        "APGD at 0.2": "apgd/robust",
    }
    rows = ["| attack | gain over AT | gain over AT + logits |", "|---|---|---|"]
    gains = []
    for name, quantity in quantities.items():
        both = [over(results, f"{CNN}: {ALL}", f"{CNN}: {b}", quantity) for b in ("AT", LOGITS)]
        gains.append(both)
        rows.append(f"| {name} | {both[0]} | {both[1]} |")
    standard = over(results, f"{CNN}: {ALL}", f"{CNN}: AT", "autoattack/square")
    rows.append(f"| AutoAttack (standard) at 0.2, 100 images | {standard} | not run |")
    chosen = ("AT", LOGITS, ALL)
    pictures.lines(
        evidence.pictures / "claim09.png",
        f"Over radii, {CNN}",
        ("Linf radius (margin PGD-20), images in [0, 1]", "robust accuracy, %"),
        RADII,
        {
            label: [results.values(f"{CNN}: {label}", f"accuracy/margin@{r:g}") for r in RADII]
            for label in chosen
        },
    )
    positive = sum(pair[1].positive for pair in gains)
    over_at = sum(pair[0].positive for pair in gains) + standard.positive
    verdict = REPRODUCED if positive == len(gains) else PARTLY if over_at or positive else NOT
    return Finding(
        "\n".join(rows),
        "claim09.png",
        verdict,
        f"Over adversarial training alone the whole loss gains (interval above zero) under "
        f"{over_at} of {len(gains) + 1} attacks; over the same loss with logits alone under "
        f"{positive} of {len(gains)}.",
    )


def capacity(evidence: Evidence) -> Finding:
    results = evidence.groups["sizes"]
    columns = {
        "parameters": ("size/parameters", lambda values: f"{values[0]:,.0f}"),
        "clean %": ("accuracy/clean", percent),
        "robust % at 0.2": ("accuracy/margin@0.2", percent),
    }
    quantity = "accuracy/margin@0.2"
    gains = [over(results, f"{s}: {ALL}", f"{s}: AT", quantity) for s in SIZES]
    sizes = [results.values(f"{s}: AT", "size/parameters")[0] for s in SIZES]
    pairs = [
        zip(
            results.values(f"{s}: {ALL}", quantity),
            results.values(f"{s}: AT", quantity),
            strict=True,
        )
        for s in SIZES
    ]
    pictures.lines(
        evidence.pictures / "claim10.png",
        "What the whole loss gains over AT, by size of the student",
        ("parameters of the student", "gain in robust accuracy at 0.2, points"),
        sizes,
        {"alpha 1, beta 0.3, gamma 0.3": [[a - b for a, b in pair] for pair in pairs]},
        log=True,
    )
    rows = ["| student | gain over AT |", "|---|---|"]
    rows += [f"| {s} | {g} |" for s, g in zip(SIZES, gains, strict=True)]
    found = correlation([math.log(n) for n in sizes], [g.mean for g in gains])
    differs = gains[0].low > gains[-1].high
    verdict = REPRODUCED if differs else PARTLY if found.r < -0.8 and gains[0].positive else NOT
    return Finding(
        table(results, columns) + "\n\n" + "\n".join(rows),
        "claim10.png",
        verdict,
        f"From the smallest to the largest student the gain over AT goes from {gains[0]} to "
        f"{gains[-1]} points.",
    )


def batches(evidence: Evidence) -> Finding:
    results = evidence.groups["batches"]
    quantity = "accuracy/margin@0.2"
    rows = ["| batch | AT | covariance: gain | running covariance: gain |", "|---|---|---|---|"]
    labels = [label for label in BATCH_TERMS if label != "AT"]
    found: dict[str, list[Gain]] = {label: [] for label in labels}
    for size in BATCHES:
        base = f"{size}: AT"
        for label in labels:
            found[label].append(over(results, f"{size}: {label}", base, quantity))
        cells = " | ".join(str(found[label][-1]) for label in labels)
        rows.append(f"| {size} | {percent(results.values(base, quantity))} | {cells} |")
    pictures.lines(
        evidence.pictures / "claim11.png",
        "Covariance alignment by batch size",
        ("images per batch", "robust accuracy at 0.2, %"),
        BATCHES,
        {
            label: [results.values(f"{size}: {label}", quantity) for size in BATCHES]
            for label in BATCH_TERMS
        },
        log=True,
    )
    means = [g.mean for g in found["AT + cov"]]
    spread = max(means) - min(means)
    apart = min(g.high for g in found["AT + cov"]) < max(g.low for g in found["AT + cov"])
    return Finding(
        "\n".join(rows),
        "claim11.png",
        REPRODUCED if apart else NOT,
        f"The gain of covariance alignment over AT varies by {100 * spread:.1f} points between "
        f"batch sizes; the intervals of the extremes {'do not ' if apart else ''}overlap. The "
        "number of epochs is fixed, so a small batch also means more steps; gains are against AT "
        "at the same batch.",
    )


CLAIMS = (
    Claim(
        7,
        "Covariance alignment improves over logits alone, Gram too, both together most; clean "
        "accuracy is kept",
        DONG,
        "Adversarial training with alpha 1, beta 0.3, gamma 0.3, one term after the other, on "
        "three students.",
        ablation,
    ),
    Claim(
        8,
        "Robust accuracy falls linearly with the variance gap, correlation beyond -0.9",
        DONG,
        "The gap of the pooled last features between clean test images and margin PGD-20 at four "
        "radii, in every student of claims 7 and 12.",
        line,
    ),
    Claim(
        9,
        "The gain holds under PGD and AutoAttack, and over radii",
        DONG,
        f"The students of claim 7 on `{CNN}`.",
        attacks,
    ),
    Claim(
        10,
        "Small students gain more",
        DONG,
        "The same student at half, one, two and four times its width.",
        capacity,
    ),
    Claim(
        11,
        "Covariance alignment is sensitive to the batch size",
        DONG + "; named there as a limitation",
        f"beta 0.3 at batch sizes {BATCHES}, the number of epochs fixed.",
        batches,
    ),
)
