import re
from pathlib import Path

import pytest
from scipy import stats

from benchmarks.claims.__main__ import CLAIMS, measures_of
from benchmarks.claims.execute import execute, measure
from benchmarks.claims.numbers import Results, gain, percent, table
from benchmarks.claims.plan import METHODS, SEEDS, Run, plan, run
from trainables.methods import METHODS as ALL_METHODS

ROOT = Path(__file__).parents[2]
RUNS = plan(Path("runs/claims"))


def test_every_group_has_five_seeds_of_every_label():
    seeds = {}
    for one in RUNS:
        seeds.setdefault((one.group, one.label), set()).add(one.seed)

    assert all(found == set(SEEDS) for found in seeds.values())
    assert len(SEEDS) >= 5


@pytest.mark.parametrize("group", sorted({one.group for one in RUNS}))
def test_every_run_is_a_valid_trial_with_something_to_measure(group):
    chosen = [one for one in RUNS if one.group == group and one.seed == 0]

    assert all(one.config.seed == 0 for one in chosen)
    assert all(measures_of(one) for one in chosen)


def test_every_method_is_compared():
    compared = {settings["method"]["name"] for settings in METHODS.values()}

    assert compared == set(ALL_METHODS)


def test_equal_runs_share_a_folder_and_different_ones_do_not(tmp_path):
    first, second = (run("a", "x", 0), run("b", "y", 0))

    assert first.folder(tmp_path) == second.folder(tmp_path)
    assert first.folder(tmp_path) != run("a", "x", 1).folder(tmp_path)


def test_gains_are_paired_with_students_interval():
    after, before = [0.5, 0.6, 0.9, 0.7], [0.4, 0.55, 0.7, 0.72]

    found = gain(after, before)

    interval = stats.ttest_rel(after, before).confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert not found.positive
    assert not found.negative


def test_a_table_has_a_row_per_label_and_means_over_seeds():
    found = {("x", seed): {"accuracy": {"clean": 0.5 + seed / 10}} for seed in (0, 1)}

    text = table(Results("g", found), {"clean %": ("accuracy/clean", percent)})

    assert text.splitlines()[2] == "| x | 55.0 ± 7.1 |"


def test_the_document_has_a_verdict_for_every_claim():
    page = (ROOT / "docs/claims.md").read_text()

    for claim in CLAIMS:
        section = page.split(f"## {claim.number}. ")[1].split("\n## ")[0]
        assert claim.sentence in section
        assert re.search(
            r"\*\*Verdict: (reproduced|partly reproduced|not reproduced)\.\*\*", section
        )


@pytest.mark.end_to_end
def test_a_run_is_trained_and_measured_once(tmp_path):
    quick = {
        "epochs": 1,
        "attack": {"steps": 1},
        "teacher": {"training": {"epochs": 1, "attack": {"steps": 1}}},
        "clean_teacher": {"training": {"epochs": 1}},
    }
    one = run(
        "methods", "KD", 0, METHODS["KD"], quick, {"student": {"architecture": "small_resnet6"}}
    )
    counted = {"size": parameters}

    execute([one, Run("other", "same", 0, one.settings)], tmp_path, lambda _: counted, workers=1)
    stamp = (one.folder(tmp_path) / "checkpoint.pt").stat().st_mtime_ns
    again = measure(one, tmp_path, counted)

    assert again["size"]["parameters"] == 5090
    assert (one.folder(tmp_path) / "checkpoint.pt").stat().st_mtime_ns == stamp


def parameters(distillation):
    return {"parameters": sum(p.numel() for p in distillation.student.parameters())}
