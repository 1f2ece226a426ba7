"""A study in Python: loading, frames, figures, picks, comparison; without Ray."""

import dataclasses
import subprocess
import sys

import matplotlib.figure
import pandas as pd
import plotly.graph_objects as go
import pytest
import yaml
from make_records import make_record, make_search, make_study
from make_verification import make_member, make_verification, study_of
from written_study import STUDY, write_results, write_study

from trainables.config import TrialConfig
from trainables.single import train
from tuner import Study, compare, evaluate, package
from tuner import train as train_file
from tuner.analysis.results import Results
from tuner.api.frames import curves_frame, front_frame, hypervolume_frame, trials_frame
from tuner.api.verification import verified_frame
from tuner.exporting.provenance import read_provenance
from tuner.storage.directory import StudyDirectory
from tuner.study import StudyConfig
from tuner.study_file import load_study
from tuner.verification.files import write_files

QUICK = {
    "data": {"name": "digits", "batch_size": 200, "images": 900},
    "student": {"architecture": "small_resnet6"},
    "attack": {"steps": 1},
    "threat": {"epsilon": 0.1},
    "epochs": 1,
}
KINDS = ["front", "curves", "parallel_coordinates", "importances", "hypervolume"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return Study.open(write_study(tmp_path_factory.mktemp("runs")))


def test_importing_the_package_imports_nothing_heavy_and_sets_the_environment():
    program = (
        "import os, sys, tuner; assert os.environ['RAY_USAGE_STATS_ENABLED'] == '0';"
        "assert not {'torch', 'ray', 'mlflow', 'pandas'} & set(sys.modules); dir(tuner)"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_name_that_the_package_promises_is_there():
    import tuner

    found = {name: getattr(tuner, name) for name in tuner.__all__}

    assert all(found[name].__name__ == name for name in tuner.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Studdy'"):
        tuner.Studdy  # noqa: B018


def test_a_shipped_study_is_loaded_with_changes_merged_key_by_key():
    study = Study.load("digits", trials=8, base={"epochs": 4}, scheduler={"name": "fifo"})

    assert (study.config.trials, study.config.base.epochs) == (8, 4)
    assert study.config.base.threat.epsilon == 0.2
    assert study.config.scheduler.name == "fifo"
    assert str(study.directory) == "runs/digits"


def test_a_dictionary_a_file_and_a_config_give_the_same_study(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(STUDY))
    expected = StudyConfig.model_validate(STUDY)

    loaded = [Study.load(source) for source in (STUDY, file, str(file), expected)]

    assert [study.config for study in loaded] == [expected] * 4


def test_a_file_says_the_same_as_on_the_command_line(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(f"{yaml.safe_dump(STUDY)}description: 2026-01-01\n")

    study = Study.load(file, trials=3)

    assert study.config == load_study(file).model_copy(update={"trials": 3})
    assert study.config.description == "2026-01-01"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trials": 0}, "trials must be greater than or equal to 1, got 0"),
        ({"trails": 3}, "did you mean 'trials'"),
        ({"scheduler": {"name": "hyperband"}}, "known: asha, fifo, halving, median"),
    ],
)
def test_a_wrong_change_is_one_sentence(changes, words):
    with pytest.raises(ValueError, match="digits: ") as error:
        Study.load("digits", **changes)

    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_study_that_has_not_begun_says_so_and_leaves_no_trace(tmp_path):
    study = Study.load("digits", directory=tmp_path / "new")

    with pytest.raises(ValueError, match=r"has not begun in .*; run it first: study.run()"):
        study.front  # noqa: B018
    with pytest.raises(ValueError, match="has not begun"):
        study.verify()

    assert "not begun" in repr(study)
    assert (len(study), list(tmp_path.iterdir())) == (0, [])


def test_another_study_in_the_directory_is_refused(small):
    other = Study.load(small.config, base={"epochs": 3}, directory=small.directory)

    with pytest.raises(ValueError, match="base/epochs was 2 and is now 3"):
        other.front  # noqa: B018


def test_trials_have_a_row_each_whatever_became_of_them(small):
    trials = small.trials

    assert list(trials.index) == list(range(12))
    assert trials.loc[0, "reason"] == "diverged: nan"
    assert trials.loc[3, "val/robust_accuracy"] == pytest.approx(0.43)
    assert (trials.loc[3, "epochs"], trials.loc[3, "seconds"]) == (2, 6.0)
    assert trials["alignments/logits"].notna().all()


def test_curves_have_a_row_per_trial_and_epoch(small):
    curves = small.curves

    assert list(curves.loc[5].index) == [1, 2]
    assert curves.loc[(5, 1), "val/robust_accuracy"] == pytest.approx(0.25)
    assert len(curves) == 11 * 2


def test_the_front_is_that_of_the_results_with_intervals_around_its_values():
    results = make_search()

    front = front_frame(results)

    assert list(front.index) == [record.number for record in results.front]
    metric = "val/robust_accuracy"
    assert front[f"{metric}_low"].lt(front[metric]).all()
    assert front[f"{metric}_high"].gt(front[metric]).all()
    assert front.index[front["knee"]].tolist() == [results.knee.number]


def test_frames_of_real_looking_results_agree_with_them():
    results = make_search()

    trials, volume = trials_frame(results), hypervolume_frame(results)

    assert trials["state"].value_counts()["complete"] == len(results.complete)
    assert trials.loc[7, "reason"].startswith("loss is not finite")
    assert volume["hypervolume"].iloc[-1] == pytest.approx(results.hypervolume)
    assert len(curves_frame(results).index.unique("trial")) == len(
        [record for record in results.records if record.reports]
    )


def test_a_study_without_a_trial_has_empty_frames_with_columns(tmp_path):
    StudyDirectory(tmp_path).claim(StudyConfig.model_validate(STUDY))

    study = Study.open(tmp_path)

    assert list(study.front.columns)[:2] == ["val/clean_accuracy", "val/robust_accuracy"]
    assert [len(f) for f in (study.trials, study.curves, study.front, study.hypervolume)] == [0] * 4
    with pytest.raises(ValueError, match="no complete trial"):
        study.figure("parallel_coordinates")


def test_importances_have_a_column_per_objective_that_sums_to_one(small):
    found = small.importances()

    assert list(found.columns) == ["val/clean_accuracy", "val/robust_accuracy"]
    assert found.sum().tolist() == pytest.approx([1, 1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_an_object_of_the_backend_that_was_asked_for(small, kind):
    interactive, still = small.figure(kind), small.figure(kind, backend="matplotlib")

    assert isinstance(interactive, go.Figure)
    assert len(interactive.data) > 0
    assert isinstance(still, matplotlib.figure.Figure)
    assert still._repr_png_().startswith(b"\x89PNG")  # what a notebook shows
    assert still.axes[0].has_data()


def test_the_plotly_front_has_a_point_per_complete_trial(small):
    figure = small.figure("front")

    numbers = [n for trace in figure.data if trace.mode == "markers" for n in trace.customdata]

    assert sorted(numbers) == list(range(1, 12))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "fronts"}, "unknown kind of figure 'fronts'; did you mean 'front'?"),
        ({"backend": "bokeh"}, "unknown backend 'bokeh'; known: matplotlib, plotly"),
        ({"kind": "curves", "metric": "val/robust_acc"}, "did you mean 'val/robust_accuracy'?"),
        ({"metric": "train/loss"}, "metric is for figure('curves')"),
    ],
)
def test_a_figure_that_cannot_be_is_one_sentence(small, arguments, words):
    with pytest.raises(ValueError, match=r"unknown|metric") as error:
        small.figure(**arguments)

    assert words in str(error.value)


def test_a_pick_is_exported_as_a_config_that_reads_back(small, tmp_path):
    path = small.export("max-robust", tmp_path / "best.yaml")

    config = TrialConfig.model_validate(yaml.safe_load(path.read_text()))

    assert config == small.trial_config("max-robust")
    assert small.pick("max-robust").number == 11
    assert small.export().name == "knee.yaml"


def test_a_notebook_shows_the_front(small):
    shown = small._repr_html_()

    assert "12 of 12 trials ended, 11 on the front" in shown
    assert "<table" in shown


def test_studies_of_one_task_are_compared_from_one_corner(tmp_path):
    first = Study.open(write_study(tmp_path, "one"))
    second = Study.open(write_study(tmp_path, "two"))

    table = compare(first, second)

    assert table.index.tolist() == [str(first.directory), str(second.directory)]
    assert table["hypervolume"].nunique() == 1
    assert table.loc[str(first.directory), "best val/clean_accuracy"] == pytest.approx(0.89)


def test_studies_of_different_tasks_are_not_compared(small, tmp_path):
    other = Study.open(write_study(tmp_path, base={"epochs": 2, "threat": {"epsilon": 0.5}}))

    with pytest.raises(ValueError, match="threat/epsilon is"):
        compare(small, other)
    with pytest.raises(ValueError, match="at least 2 studies, got 1"):
        compare(small)


def test_a_checkpoint_is_measured_into_a_frame(tmp_path):
    config = TrialConfig.model_validate(QUICK)
    list(train(config, tmp_path / "checkpoint.pt", tmp_path))

    measured = evaluate(tmp_path, "fgsm", [0.05, 0.1], images=50, gates=False)

    assert isinstance(measured.table, pd.DataFrame)
    assert measured.table["epsilon"].unique().tolist() == [0, 0.05, 0.1]
    assert measured.table["images"].eq(50).all()
    assert measured.table["low"].le(measured.table["accuracy"]).all()
    assert measured.verdict is None


def test_a_split_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ValueError, match="unknown split 'train'; known: test, validation"):
        evaluate(tmp_path, split="train")


def test_a_config_never_overwrites_what_is_no_config(tmp_path):
    study = Study.open(write_study(tmp_path))
    file = study.directory / "study.yaml"
    before = file.read_bytes()

    with pytest.raises(ValueError, match="is no trial's config, so it is not overwritten"):
        study.export("knee", file)

    assert file.read_bytes() == before


def test_a_study_is_opened_by_the_beginning_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path / "runs")

    assert str(Study.open("sma").directory) == "runs/small"
    with pytest.raises(ValueError, match="unknown study 'digits'"):
        Study.open("digits")


def test_picks_go_by_verified_numbers_as_tuner_export_does(tmp_path):
    teachers = {"wide": {"architecture": "small_resnet8"}}
    results = study_of((0.95, 0.30), (0.90, 0.50), (0.89, 0.48), trials=3, teachers=teachers)
    folder = write_results(results, tmp_path / "x")
    counts = {0: (285, 60), 1: (264, 120), 2: (270, 129)}
    members = [make_member(results, number, pair) for number, pair in counts.items()]
    write_files(make_verification(results, *members), folder / "verification")
    study = Study.open(folder)

    chosen = study.choice("max-robust")

    assert (chosen.on, chosen.record.number) == ("verified", 2)
    assert study.pick("max-robust", on="validation").number == 1
    text = study.export("max-robust", tmp_path / "a.yaml").read_text()
    assert "trial 2 (searched)" in text


@pytest.fixture
def verified(tmp_path):
    """A verified study of two trials."""
    teachers = {"wide": {"architecture": "small_resnet8"}}
    results = study_of((0.95, 0.30), (0.90, 0.50), trials=2, teachers=teachers)
    folder = write_results(results, tmp_path / "x")
    counts = {0: ((285, 60), (282, 66)), 1: ((264, 120), (261, 120))}
    members = [make_member(results, number, *pairs) for number, pairs in counts.items()]
    write_files(make_verification(results, *members), folder / "verification")
    return Study.open(folder)


def test_a_verified_front_is_a_frame_with_intervals_behind_each_accuracy(verified):
    frame = verified.verified

    metric = "test/autoattack_accuracy"
    assert frame.index.tolist() == [0, 1]
    assert frame.loc[0, metric] == pytest.approx(63 / 300)
    assert frame.loc[0, f"{metric}_sd"] == pytest.approx(18**0.5 / 300)
    assert frame[f"{metric}_low"].lt(frame[metric]).all()
    assert frame[f"{metric}_high"].gt(frame[metric]).all()
    assert frame["on_front"].all()


def test_what_one_seed_cannot_tell_is_not_a_number_in_the_frame():
    results = study_of((0.95, 0.30))

    frame = verified_frame(make_verification(results, make_member(results, 0, (285, 60))))

    assert frame["test/autoattack_accuracy_sd"].dtype == float
    assert frame["test/autoattack_accuracy_sd"].isna().all()


def test_before_a_verification_there_is_no_frame_of_it(small):
    with pytest.raises(ValueError, match=r"has not been opened; .* with: study.verify\(\)"):
        small.verified  # noqa: B018


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": 0}, "seeds must be at least 1, got 0"),
        ({"neighbours": -1}, "neighbours must be at least 0, got -1"),
        ({"images": 0}, "images must be at least 1, got 0"),
        ({"attack": "autoatack"}, "did you mean 'autoattack'"),
        ({"epsilon": [0.1, 2]}, "epsilon must be a number or fraction above 0"),
    ],
)
def test_what_cannot_be_verified_is_one_sentence(small, options, words):
    with pytest.raises(ValueError, match=words):
        small.verify(**options)


def test_an_exported_config_carries_the_verified_numbers(verified, tmp_path):
    path = verified.export("max-robust", tmp_path / "best.yaml")

    told = read_provenance(path).verified
    assert told.metrics == pytest.approx(
        {"test/clean_accuracy": 262.5 / 300, "test/autoattack_accuracy": 120 / 300}
    )
    assert (told.seeds, told.images) == ((0, 1), 300)
    assert (
        "# verified on 300 test images: 87.5 % clean accuracy, 40.0 % under AutoAttack "
        "(standard), Linf epsilon 0.15, means of 2 seeds\n"
    ) in path.read_text()
    by_validation = verified.export("max-robust", tmp_path / "other.yaml", on="validation")
    assert read_provenance(by_validation).verified is None


@pytest.mark.slow
def test_an_exported_config_is_trained_and_packaged(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(QUICK))

    folder = train_file("one.yaml", seeds=2, tracking=False)
    packaged = package(folder / "seed_1", formats="pt2")

    assert str(folder) == "runs/train/one"
    assert "over 2 seeds: " in capsys.readouterr().out
    assert packaged.checks.index.tolist() == ["PyTorch, eager", "student.pt2"]
    assert packaged.checks["differing"].tolist() == [0, 0]
    assert packaged.checks["robust_accuracy"].nunique() == 1
    assert packaged.card.parent == packaged.folder == folder / "seed_1" / "package"


def test_the_hours_of_the_hypervolume_are_those_of_all_replicates():
    first, second = make_record(0, 0.9, 0.4), make_record(1, 0.8, 0.5)
    second = dataclasses.replace(second, repeats=0)
    records = [
        dataclasses.replace(record, reports=({**record.reports[0], "cost/seconds": 1800.0},))
        for record in (first, second)
    ]

    frame = hypervolume_frame(Results(make_study(replicates=2), records))

    assert list(frame["hours"]) == [1.0]


def test_studies_with_other_constraints_are_not_compared(tmp_path):
    bound = [{"metric": "val/clean_accuracy", "at_least": 0.5}]
    free = Study.open(write_study(tmp_path))
    bounded = Study.open(write_study(tmp_path, name="bounded", constraints=bound))

    with pytest.raises(ValueError, match="constraints is none in the one and val/clean_accuracy"):
        compare(free, bounded)
