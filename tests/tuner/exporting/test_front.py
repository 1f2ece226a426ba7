import csv
import json

import pytest
import yaml
from make_records import make_config, make_record, make_results, make_search, make_study

from trainables.config import TrialConfig
from tuner.analysis.picks import pick
from tuner.analysis.results import Results
from tuner.exporting.front import export_config, load_trial_config, write_front
from tuner.records import TrialState
from tuner.storage.atomic import write_atomically


@pytest.mark.parametrize("which", ["knee", "max-clean", "max-robust", "robust>=0.5", "trial:50"])
def test_an_exported_config_is_the_trials_config(which, tmp_path):
    results = make_search()

    path = export_config(results, which, tmp_path / "best.yaml")

    assert load_trial_config(path) == TrialConfig.model_validate(pick(results, which).config)
    assert yaml.safe_load(path.read_text()) == pick(results, which).config


def test_an_exported_config_says_where_it_comes_from_and_how_to_train_it(tmp_path):
    path = export_config(make_results((0.9611, 0.4056)), "knee", tmp_path / "best.yaml")

    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert header[:5] == [
        "# study digits-small, trial 0 (searched)",
        "# wide > small_resnet8",
        "# measured on 360 validation images: 96.1 % clean accuracy, 40.6 % robust accuracy",
        "# under margin PGD-20, step 0.25 epsilon, Linf epsilon 0.15",
        f"# train it again: tuner train {path}",
    ]


@pytest.mark.slow
def test_every_complete_trial_goes_out_and_comes_back_as_it_was(tmp_path):
    results = make_search()
    numbers = [record.number for record in results.complete]

    paths = [export_config(results, f"trial:{n}", tmp_path / f"{n}.yaml") for n in numbers]

    assert [yaml.safe_load(path.read_text()) for path in paths] == [
        record.config for record in results.complete
    ]


def test_json_holds_the_config_and_where_it_comes_from(tmp_path):
    results = make_search()

    path = export_config(results, "knee", tmp_path / "best.json")

    content = json.loads(path.read_text())
    assert content.pop("provenance")["trial"] == results.knee.number
    assert content == results.knee.config
    assert load_trial_config(path) == TrialConfig.model_validate(results.knee.config)


@pytest.mark.parametrize("character", ["\n", "\r", "\u2028", "\x85", "\x07"])
def test_a_name_cannot_break_the_header(character, tmp_path):
    record = make_record(0, 0.9, 0.4, teacher=f"wide{character}epochs: 1")

    path = export_config(Results(make_study(), [record]), "knee", tmp_path / "best.yaml")

    assert load_trial_config(path).epochs == 12


def test_tiny_and_long_numbers_survive_the_yaml(tmp_path):
    config = make_config(alpha=1e-05, gamma=0.1 + 0.2)
    results = Results(make_study(), [make_record(0, 0.9, 0.4, config=config)])

    path = export_config(results, "knee", tmp_path / "best.yaml")

    assert yaml.safe_load(path.read_text()) == config


def test_a_front_is_written_with_a_config_per_member(tmp_path):
    results = make_search()

    paths = write_front(results, tmp_path)

    names = [path.relative_to(tmp_path).as_posix() for path in paths]
    configs = [f"configs/trial_{record.number:04d}.yaml" for record in results.front]
    files = ["front.csv", "front.json", "front.png", "front.html"]
    files += ["differences.csv", "failures.csv", "parallel.html", "hypervolume.png"]
    assert names == [*files, *configs, "configs/knee.yaml"]
    assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == sorted(paths)


def test_importances_are_written_where_they_are_known(tmp_path):
    shares = {"val/clean_accuracy": {"alignments/gram/weight": 0.75, "student/architecture": 0.25}}

    paths = write_front(make_results((0.8, 0.4), (0.9, 0.5)), tmp_path, shares)

    assert json.loads((tmp_path / "importance.json").read_text()) == shares
    assert tmp_path / "importance.png" in paths
    assert (tmp_path / "importance.png").read_bytes().startswith(b"\x89PNG")


def test_every_config_of_a_front_is_valid(tmp_path):
    results = make_search()

    write_front(results, tmp_path)

    for record in results.front:
        path = tmp_path / "configs" / f"trial_{record.number:04d}.yaml"
        assert load_trial_config(path) == TrialConfig.model_validate(record.config)


def test_configs_that_left_the_front_go_and_other_files_stay(tmp_path):
    write_front(make_results((0.8, 0.4)), tmp_path)
    (tmp_path / "configs" / "mine.yaml").write_text("epochs: 3\n")

    write_front(make_results((0.8, 0.4), (0.9, 0.5)), tmp_path)

    names = sorted(path.name for path in (tmp_path / "configs").iterdir())
    assert names == ["knee.yaml", "mine.yaml", "trial_0001.yaml"]


def test_table_and_data_hold_the_front_and_the_beaten_baselines(tmp_path):
    results = make_search()

    write_front(results, tmp_path)

    rows = list(csv.DictReader((tmp_path / "front.csv").read_text().splitlines()))
    data = json.loads((tmp_path / "front.json").read_text())
    beaten = [r.number for r in results.baselines if results.ranks[r.number] > 0]
    expected = [*(record.number for record in results.front), *beaten]
    assert [int(row["trial"]) for row in rows] == expected
    assert [trial["trial"] for trial in data["trials"]] == expected
    assert float(rows[0]["val/clean_accuracy"]) == data["trials"][0]["val/clean_accuracy"] == 0.983


def test_a_study_without_complete_trials_writes_an_empty_front(tmp_path):
    write_front(make_results((0.8, 0.4)), tmp_path)

    write_front(Results(make_study(), [make_record(0, state=TrialState.running)]), tmp_path)

    assert json.loads((tmp_path / "front.json").read_text())["trials"] == []
    assert list((tmp_path / "configs").iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write_atomically(tmp_path / "front.csv", "old")

    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "half \ud800")

    assert [p.name for p in tmp_path.iterdir()] == ["front.csv"]
    assert path.read_text() == "old"
