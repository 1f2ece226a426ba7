"""Where a config comes from, as comments that can be read again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from make_records import make_record, make_results, make_study
from make_verification import make_member, make_verification, study_of

from trainables.frozen import fingerprint
from tuner.analysis.results import Results
from tuner.exporting import made_with
from tuner.exporting.config_files import export_config, write_config
from tuner.exporting.made_with import commit, versions
from tuner.exporting.provenance import as_comments, from_comments, provenance_of, read_provenance

WHO = ("-c", "user.name=A", "-c", "user.email=a@example.org")


def provenance(**changes):
    results = make_results((0.9611, 0.4056))
    return provenance_of(results, results.knee).model_copy(update=changes)


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_it_is_read_back_from_the_file_that_it_was_written_into(suffix, tmp_path):
    results = make_results((0.9611, 0.4056))

    path = export_config(results, "knee", tmp_path / f"best.{suffix}")

    found = read_provenance(path)
    assert (found.study, found.trial, found.images) == ("digits-small", 0, 360)
    assert found.metrics == {"val/clean_accuracy": 0.9611, "val/robust_accuracy": 0.4056}
    assert found.config == fingerprint(results.knee.config)
    assert found.exported.versions == versions()


def test_means_name_their_seeds_and_spread():
    config = dict(make_record(0, 0.9, 0.4).config)
    records = [make_record(0, 0.9, 0.4)]
    repeated = make_record(1, 0.8, 0.6, config={**config, "seed": 7})
    object.__setattr__(repeated, "repeats", 0)
    results = Results(make_study(replicates=2), [*records, repeated])

    found = provenance_of(results, results.knee)

    assert found.seeds == (0, 7)
    assert found.standard_deviations["val/clean_accuracy"] == pytest.approx(0.1 / 2**0.5)


@pytest.mark.parametrize("name", ["two\nlines", "epochs: 1", "# x", "\u2028", '"', "naïve – ü"])
def test_any_name_survives_the_comments(name):
    comments = as_comments(provenance(study=name))

    assert all(line.startswith("# ") for line in comments.splitlines())
    assert from_comments(comments).study == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "epochs: 3\n",
        "# provenance:\n",
        "# provenance:\n#   study: [\n",
        "# provenance:\n#   ended: 2026-99-99\n",
        f"# provenance:\n#   study: {'[' * 5000}\n",
        "# a\n# b\n",
    ],
)
def test_comments_that_say_something_else_are_nobodys_provenance(text):
    assert from_comments(text) is None


def test_what_follows_the_block_is_not_part_of_it():
    told = provenance()

    assert from_comments(f"# before\n{as_comments(told)}# after\nepochs: 3\n") == told


def test_a_changed_config_says_so():
    assert provenance(changed=True).sentences()[-1] == "the config was changed since"
    assert "the config was changed since" not in provenance().sentences()


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_verified_numbers_go_with_the_config(suffix, tmp_path):
    results = study_of((0.95, 0.30))
    member = make_member(results, 0, (285, 60), (282, 66), verdict="masked gradients: …")

    path = write_config(
        results, results.knee, tmp_path / f"a.{suffix}", make_verification(results, member)
    )

    found = read_provenance(path).verified
    assert found.metrics["test/autoattack_accuracy"] == pytest.approx(63 / 300)
    low, high = found.intervals["test/autoattack_accuracy"]
    assert low < 63 / 300 < high
    assert found.sentence() == (
        "verified on 300 test images: 94.5 % clean accuracy, 21.0 % under AutoAttack (standard), "
        "Linf epsilon 0.15, means of 2 seeds; masked gradients in seed 0, 1"
    )


def test_a_trial_that_was_not_verified_has_no_such_numbers():
    results = study_of((0.95, 0.30), (0.90, 0.50))
    found = make_verification(results, make_member(results, 0, (285, 60)))

    assert provenance_of(results, results.complete[1], found).verified is None


def test_the_commit_is_that_of_the_checkout():
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)

    assert commit().removesuffix("+changes") == head.stdout.strip()


@pytest.mark.parametrize("package", ["tuner", "trainables", "search_spaces"])
def test_a_change_in_any_package_of_the_checkout_is_told(tmp_path, package):
    copy = tmp_path / "tuner/exporting/made_with.py"
    copy.parent.mkdir(parents=True)
    copy.write_text(Path(made_with.__file__).read_text())
    source = tmp_path / package / "source.py"
    source.parent.mkdir(exist_ok=True)
    source.write_text("x = 1\n")
    for command in (("init", "-q"), ("add", "."), (*WHO, "commit", "-qm", "begin")):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    asked = [sys.executable, "-c", "from tuner.exporting.made_with import commit; print(commit())"]
    place = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(tmp_path)}}

    before = subprocess.run(asked, **place, capture_output=True, text=True, check=True)
    source.write_text("x = 2\n")
    after = subprocess.run(asked, **place, capture_output=True, text=True, check=True)

    assert after.stdout.strip() == f"{before.stdout.strip()}+changes"
