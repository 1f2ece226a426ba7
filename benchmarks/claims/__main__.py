"""``python -m benchmarks.claims``: train, measure, write docs/claims.md; a stopped run goes on."""

import argparse
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path

import torch

from benchmarks.claims import kdiga, measures, ranking, variance
from benchmarks.claims.claim import Evidence
from benchmarks.claims.execute import Measure, execute, measure, write
from benchmarks.claims.numbers import Found
from benchmarks.claims.plan import CNN, DIGITS, EPSILON, ROOT, SEEDS, Run, plan
from trainables.config import TrialConfig
from trainables.distillation import Distillation

CLAIMS = (*kdiga.CLAIMS, *variance.CLAIMS, *ranking.CLAIMS)
PAGE, PICTURES = Path("docs/claims.md"), Path("docs/claims")


def size(distillation: Distillation) -> dict[str, float]:
    """Parameters of the student."""
    return {"parameters": float(sum(p.numel() for p in distillation.student.parameters()))}


EVERYWHERE: dict[str, Measure] = {"accuracy": measures.accuracy}
BY_GROUP: dict[str, dict[str, Measure]] = {
    "methods": {"apgd": measures.apgd, "features": measures.features},
    "gradients": {"bound": measures.linearity},
    "ablation": {"apgd": measures.apgd, "features": measures.features},
    "pretrained": {},
    "sizes": {"size": size},
    "batches": {},
}
CERTIFIED = {"KD", "KDIGA", "PGD-AT", "KDIGA-ARD", "AdaAD", "variance gap"}
WHOLE_AUTOATTACK = {f"{CNN}: AT", f"{CNN}: AT + logits + cov + gram"}


def measures_of(run: Run) -> Mapping[str, Measure]:
    """What is measured on a run: the costly only where a claim asks for it."""
    chosen = {**EVERYWHERE, **BY_GROUP[run.group]}
    if run.group == "methods" and run.label in CERTIFIED:
        chosen["certified"] = measures.certified
    if run.group == "ablation" and run.label in WHOLE_AUTOATTACK:
        chosen["autoattack"] = measures.standard_autoattack
    return chosen


def measured_teacher(root: Path) -> Found:
    """The teacher's own numbers, measured once."""
    file = root / "teacher.json"
    if not file.is_file():
        distillation = Distillation.build(TrialConfig.model_validate({**DIGITS, "teacher": None}))
        distillation.student = measures.the_teacher()
        chosen = {
            "accuracy": measures.accuracy,
            "apgd": measures.apgd,
            "features": measures.features,
            "certified": measures.certified,
        }
        write(file, {name: look(distillation) for name, look in chosen.items()})
    found: Found = json.loads(file.read_text())
    return found


def page(evidence: Evidence, seconds: float) -> str:
    """The whole document."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, PyTorch {torch.__version__}"
    summary = "\n".join(claim.summary(evidence) for claim in CLAIMS)
    sections = "\n\n".join(claim.section(evidence) for claim in CLAIMS)
    return (
        INTRODUCTION.format(
            seeds=len(SEEDS), epsilon=EPSILON, machine=machine, hours=seconds / 3600
        )
        + f"\n{summary}\n\n{sections}\n"
    )


INTRODUCTION = """# The papers' claims, put to the test

Written by `make claims`; every number comes from the runs, every verdict from a rule in
`benchmarks/claims/`, so running it again may change both. scikit-learn's digits, 8x8 pixels: 1,200
for training, 300 test images measured here; {seeds} seeds (of weights, order and attack; the split
and the teacher are the same), Linf, training radius {epsilon}. The teacher is one adversarially
trained residual network of 155,242 parameters, students have 1,366 to 77,162. Values are means ±
one standard deviation over seeds; gains are paired by seed, in points, with Student's 95 % interval
[low, high]; no correction is made for the number of comparisons.

These are small networks on small images. "Not reproduced" means: not here. Nothing was tuned for a
claim; where a weight is chosen by its result, the text says so.

Robust accuracy is margin PGD, 20 steps of 0.1 epsilon, uniform start; APGD is the white-box half of
AutoAttack (APGD-CE and APGD-T), which leaves far less at radius 0.2 than PGD-20 does.

{machine}. The runs and their measures took {hours:.1f} hours of one-thread
processes, two at a time, on a machine that had other work as well.

| # | claim | verdict |
|---|---|---|"""


def main() -> None:
    """Everything; ``--workers`` processes of one thread each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--root", type=Path, default=ROOT, help="where runs are cached")
    arguments = parser.parse_args()
    runs = plan(arguments.root)
    execute(runs, arguments.root, measures_of, workers=arguments.workers)
    measured = [(run, measure(run, arguments.root, measures_of(run))) for run in runs]
    seconds = sum(
        json.loads(file.read_text())["seconds"]
        for file in arguments.root.glob("*/*.json")
        if "seconds" in json.loads(file.read_text())
    )
    evidence = Evidence.of(measured, measured_teacher(arguments.root), PICTURES)
    PAGE.write_text(page(evidence, seconds))
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
