"""Claims 1 to 6: input gradient alignment (Shao et al., 2021)."""

import statistics
from collections.abc import Sequence

from benchmarks.claims import pictures
from benchmarks.claims.claim import NOT, PARTLY, REPRODUCED, Claim, Evidence, Finding
from benchmarks.claims.measures import BOUND_RADIUS, CERTIFIED_RADII
from benchmarks.claims.numbers import Results, gain, percent, plain, table
from benchmarks.claims.plan import CNN, LAMBDAS, RADII, VIT
from trainables.diagnostics.correlation import correlation

SHAO = "Shao et al., 2021, abstract; the paper's tables were not seen"
CLEAN = {"clean %": ("accuracy/clean", percent)}
CURVE = {f"robust % at {r:g}": (f"accuracy/margin@{r:g}", percent) for r in RADII}


def mean(values: Sequence[float]) -> float:
    """Of seeds."""
    return statistics.fmean(values)


def curve(results: Results, label: str) -> list[list[float]]:
    """Clean and robust accuracy over radii, by seed."""
    quantities = ["accuracy/clean", *(f"accuracy/margin@{r:g}" for r in RADII)]
    return [results.values(label, quantity) for quantity in quantities]


def teacher_curve(evidence: Evidence) -> list[list[float]]:
    """The same of the teacher, which is one network."""
    quantities = ["accuracy/clean", *(f"accuracy/margin@{r:g}" for r in RADII)]
    return [[evidence.taught(quantity)] for quantity in quantities]


def teacher_row(evidence: Evidence) -> str:
    """A row of the table above, of the teacher."""
    cells = [f"{100 * point[0]:.1f}" for point in teacher_curve(evidence)]
    return "| *teacher* | " + " | ".join(cells) + " |"


def best_lambda(results: Results, architecture: str) -> str:
    """The label of the weight with the highest mean robust accuracy at 0.1."""
    labels = [f"{architecture}: KDIGA {weight:g}" for weight in LAMBDAS]
    return max(labels, key=lambda label: mean(results.values(label, "accuracy/margin@0.1")))


def draw_curves(
    evidence: Evidence, file: str, title: str, *, labels: dict[str, str], results: Results
) -> None:
    """Robust accuracy against the radius, the teacher first."""
    series = {"teacher": teacher_curve(evidence)}
    series |= {shown: curve(results, label) for shown, label in labels.items()}
    pictures.lines(
        evidence.pictures / file,
        title,
        ("Linf radius of the attack (margin PGD-20), images in [0, 1]", "accuracy, %"),
        [0.0, *RADII],
        series,
    )


def plain_distillation(evidence: Evidence) -> Finding:
    results = evidence.groups["gradients"]
    labels = [f"{a}: {m}" for a in (CNN, VIT) for m in ("standard", "KD")]
    rows = table(results, CLEAN | CURVE, labels) + "\n" + teacher_row(evidence)
    shown = {f"{m}, {a}": f"{a}: {m}" for a in (CNN, VIT) for m in ("standard", "KD")}
    draw_curves(
        evidence,
        "claim01.png",
        "Plain distillation loses robustness",
        labels=shown,
        results=results,
    )
    gains = [
        gain(
            results.values(f"{a}: KD", "accuracy/margin@0.1"),
            results.values(f"{a}: standard", "accuracy/margin@0.1"),
        )
        for a in (CNN, VIT)
    ]
    lost = evidence.taught("accuracy/margin@0.1") - max(
        mean(results.values(f"{a}: KD", "accuracy/margin@0.1")) for a in (CNN, VIT)
    )
    verdict = REPRODUCED if lost > 0.2 else NOT
    return Finding(
        rows,
        "claim01.png",
        verdict,
        f"At radius 0.1 the better distilled student is {100 * lost:.1f} points below the teacher. "
        f"Against training without a teacher, distillation changes robust accuracy at 0.1 by "
        f"{gains[0]} points (CNN) and {gains[1]} (ViT).",
    )


def across(evidence: Evidence, architecture: str, file: str, title: str) -> Finding:
    results = evidence.groups["gradients"]
    labels = [label for label in results.labels if label.startswith(architecture)]
    rows = table(results, CLEAN | CURVE, labels) + "\n" + teacher_row(evidence)
    best = best_lambda(results, architecture)
    shown = {
        "KD": f"{architecture}: KD",
        **{f"KDIGA, lambda {w:g}": f"{architecture}: KDIGA {w:g}" for w in LAMBDAS},
    }
    draw_curves(evidence, file, title, labels=shown, results=results)
    small, large = (
        gain(
            results.values(best, f"accuracy/margin@{r:g}"),
            results.values(f"{architecture}: KD", f"accuracy/margin@{r:g}"),
        )
        for r in (0.1, 0.2)
    )
    clean = gain(
        results.values(best, "accuracy/clean"),
        results.values(f"{architecture}: KD", "accuracy/clean"),
    )
    missing = evidence.taught("accuracy/margin@0.1") - mean(
        results.values(best, "accuracy/margin@0.1")
    )
    verdict = NOT if not small.positive else REPRODUCED if missing < 0.05 else PARTLY
    return Finding(
        rows,
        file,
        verdict,
        f"With the best of the weights ({best.split(': ')[1]}, chosen on these images) robust "
        f"accuracy rises over KD by {small} points at radius 0.1 and {large} at 0.2, and clean "
        f"accuracy changes by {clean}. The student stays {100 * missing:.1f} points below the "
        "teacher at 0.1.",
    )


def pretrained(evidence: Evidence) -> Finding:
    results = evidence.groups["pretrained"]
    rows = table(results, CLEAN | CURVE)
    groups, clean_bars, robust_bars, sentences, verdicts = [], [], [], [], []
    for architecture in (CNN, VIT):
        before = f"{architecture}: before"
        weights = [f"{architecture}: KDIGA {w:g}" for w in (0.03, 0.1, 0.3)]
        for label in (before, f"{architecture}: KD", *weights):
            short = label.replace("small_", "").replace("_patch2_8", "")
            groups.append(short.replace(": ", "\n").replace("KDIGA ", "λ "))
            clean_bars.append(results.values(label, "accuracy/clean"))
            robust_bars.append(results.values(label, "accuracy/margin@0.1"))
        best = max(weights, key=lambda name: mean(results.values(name, "accuracy/margin@0.1")))
        robust, clean = (
            gain(results.values(best, q), results.values(before, q))
            for q in ("accuracy/margin@0.1", "accuracy/clean")
        )
        missing = evidence.taught("accuracy/margin@0.1") - mean(
            results.values(best, "accuracy/margin@0.1")
        )
        whole = robust.positive and not clean.negative and missing < 0.05
        verdicts.append(REPRODUCED if whole else PARTLY if robust.positive else NOT)
        sentences.append(
            f"{architecture}: robust accuracy at 0.1 {robust} points, clean {clean} "
            f"({best.split(': ')[1]}), {100 * missing:.1f} points below the teacher at 0.1."
        )
    pictures.bars(
        evidence.pictures / "claim04.png",
        "KDIGA into students that were trained on clean images",
        "accuracy, %",
        groups,
        {"clean": clean_bars, "robust, radius 0.1": robust_bars},
    )
    verdict = verdicts[0] if len(set(verdicts)) == 1 else PARTLY
    return Finding(rows, "claim04.png", verdict, "Against before: " + " ".join(sentences))


def bounds(evidence: Evidence) -> Finding:
    results = evidence.groups["gradients"]
    quantity = f"accuracy/margin@{BOUND_RADIUS:g}"
    columns = {
        f"robust % at {BOUND_RADIUS:g}": (quantity, percent),
        "largest loss found": ("bound/student_maximum", plain),
        "bound": ("bound/bound", plain),
        "gradient term": ("bound/gradient_term", plain),
        "gamma of the student": ("bound/student_gamma", plain),
        "cosine to the teacher": ("bound/gradient_cosine", plain),
    }
    clouds, found = {}, []
    for architecture in (CNN, VIT):
        labels = [label for label in results.labels if label.startswith(architecture)]
        x = [v for label in labels for v in results.values(label, "bound/bound")]
        y = [v for label in labels for v in results.values(label, quantity)]
        clouds[architecture] = (x, y)
        found.append(correlation(x, y))
    pictures.scatter(
        evidence.pictures / "claim05.png",
        "The empirical local-linearity bound and measured robustness",
        (
            f"empirical bound on the largest loss at radius {BOUND_RADIUS:g}, nats",
            f"robust accuracy at {BOUND_RADIUS:g}, %",
        ),
        clouds,
    )
    strong = [c.r < -0.8 for c in found]
    verdict = REPRODUCED if all(strong) else PARTLY if any(c.high < 0 for c in found) else NOT
    return Finding(
        table(results, columns),
        "claim05.png",
        verdict,
        f"Bound against robust accuracy over all runs: {CNN} {found[0]}; {VIT} {found[1]}. The "
        "bound is empirical: its maxima are found by ascent, so it is no certificate. (Runs of one "
        "weight differ in their seed alone, so the intervals are optimistic.)",
    )


def beyond_the_teacher(evidence: Evidence) -> Finding:
    results = evidence.groups["methods"]
    labels = ["KD", "KDIGA", "PGD-AT", "KDIGA-ARD", "AdaAD", "variance gap"]
    columns = {
        "robust % at 0.1": ("accuracy/margin@0.1", percent),
        "robust % at 0.2": ("accuracy/margin@0.2", percent),
        "APGD % at 0.2": ("apgd/robust", percent),
        **{
            f"certified % at L2 {r:g}": (f"certified/certified@{r:g}", percent)
            for r in CERTIFIED_RADII
        },
    }
    quantities = [quantity for quantity, _ in columns.values()]
    row = " | ".join(f"{100 * evidence.taught(quantity):.1f}" for quantity in quantities)
    rows = table(results, columns, labels) + f"\n| *teacher* | {row} |"
    series = {"teacher": [[evidence.taught(f"certified/certified@{r:g}")] for r in CERTIFIED_RADII]}
    for label in labels:
        series[label] = [
            results.values(label, f"certified/certified@{r:g}") for r in CERTIFIED_RADII
        ]
    pictures.lines(
        evidence.pictures / "claim06.png",
        "Certified accuracy under smoothing (sigma 0.25, abstentions are wrong)",
        ("certified L2 radius, images in [0, 1]", "certified accuracy, %"),
        CERTIFIED_RADII,
        series,
    )
    reached = {
        quantity: [
            label
            for label in ("KDIGA", "KDIGA-ARD")
            if mean(results.values(label, quantity)) >= evidence.taught(quantity)
        ]
        for quantity in quantities
    }
    count = sum(1 for names in reached.values() if names)
    verdict = REPRODUCED if count == len(quantities) else PARTLY if count else NOT
    where = [name for name, (quantity, _) in columns.items() if reached[quantity]]
    return Finding(
        rows,
        "claim06.png",
        verdict,
        f"A student with input gradient alignment reaches the teacher in {count} of "
        f"{len(quantities)} columns{': ' + ', '.join(where) if where else ''}. The students have "
        "3 % of the teacher's parameters; neither network was trained with noise, for which "
        "smoothing asks.",
    )


CLAIMS = (
    Claim(
        1,
        "Standard distillation does not carry robustness over",
        SHAO,
        "KD (w 0.5, tau 1) and training without a teacher, no attack in training.",
        plain_distillation,
    ),
    Claim(
        2,
        "Input gradient alignment carries robustness over, without adversarial training",
        SHAO,
        f"KDIGA on `{CNN}`, weights {LAMBDAS}, by double backward; once by finite differences.",
        lambda evidence: across(evidence, CNN, "claim02.png", "KDIGA without an attack: CNN"),
    ),
    Claim(
        3,
        "It does so across architectures, from a CNN to a ViT",
        SHAO,
        f"The same on `{VIT}`; the teacher is a residual network.",
        lambda evidence: across(evidence, VIT, "claim03.png", "KDIGA without an attack: ViT"),
    ),
    Claim(
        4,
        "It does so into a student pre-trained on clean data, without loss of clean accuracy",
        SHAO,
        "Students trained without attack, then 15 epochs of KDIGA at 0.4 of the learning rate.",
        pretrained,
    ),
    Claim(
        5,
        "Local-linearity bounds agree with measured robustness",
        SHAO,
        f"The empirical bound at radius {BOUND_RADIUS:g} on 100 test images against robust "
        "accuracy, over all runs of claims 1 to 3.",
        bounds,
    ),
    Claim(
        6,
        "Students reach or exceed the teacher's certified or empirical robustness",
        SHAO,
        "Empirical and certified accuracy (randomised smoothing, L2) of teacher and students.",
        beyond_the_teacher,
    ),
)
