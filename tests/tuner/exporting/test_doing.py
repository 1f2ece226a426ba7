"""``tuner export``: files, formats, and what it refuses."""

import dataclasses

import pytest
from make_records import make_search
from make_verification import make_member, make_verification, study_of
from typer.testing import CliRunner
from written_study import write_results

from tuner.analysis.picks import pick
from tuner.analysis.results import Results
from tuner.cli import app
from tuner.exporting.config_files import load_trial_config
from tuner.exporting.doing import slug
from tuner.verification.files import write_files


@pytest.fixture
def results():
    return make_search()


@pytest.fixture
def export(results, tmp_path, monkeypatch):
    """``export(…)`` of a study on disk; returns exit code and output."""
    monkeypatch.chdir(tmp_path)
    write_results(results, tmp_path / "runs" / "x")

    def run(*arguments):
        result = CliRunner().invoke(app, ["export", "runs/x", *map(str, arguments)])
        return result.exit_code, " ".join(result.output.split())

    return run


def test_without_a_word_the_knee_goes_to_the_studys_folder(export, results, tmp_path):
    code, output = export()

    assert code == 0
    assert output.endswith("train it with: tuner train runs/x/exported/knee.yaml")
    path = tmp_path / "runs/x/exported/knee.yaml"
    assert load_trial_config(path).model_dump(mode="json") == results.knee.config


def test_the_command_that_is_told_takes_a_path_with_spaces(export, tmp_path):
    _, output = export("--output", "my best.yaml")

    assert output.endswith("train it with: tuner train 'my best.yaml'")
    first = [
        line for line in (tmp_path / "my best.yaml").read_text().splitlines() if "again" in line
    ]
    assert first == ["# train it again: tuner train 'my best.yaml'"]


def test_all_members_of_the_front_go_into_a_folder(export, results, tmp_path):
    code, output = export("--all", "--format", "json", "--output", "front")

    assert code == 0
    written = sorted(path.name for path in (tmp_path / "front").iterdir())
    assert written == sorted(f"trial_{record.number:04d}.json" for record in results.front)
    assert f"train one with: tuner train front/trial_{results.front[0].number:04d}" in output


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("--output", "a.json"), "a.json"),
        (("--output", "here/a.yml"), "here/a.yml"),
        (("--format", "json"), "runs/x/exported/knee.json"),
        (("--output", "."), "knee.yaml"),
        (("--output", "new/"), "new/knee.yaml"),
        (("--pick", "robust >= 0.5"), "runs/x/exported/robust-at-least-0.5.yaml"),
    ],
)
def test_the_files_name_and_the_format_agree(export, tmp_path, arguments, path):
    code, output = export(*arguments)

    assert (code, (tmp_path / path).is_file()) == (0, True), output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--pick", "trial:7"), "trial 7 is failed; only complete trials can be picked"),
        (("--pick", "trial:11"), "trial 11 is stopped; only complete trials can be picked"),
        (("--pick", "trial:51000"), "trial 51000 is not in the study"),
        (("--pick", "robust>=0.99"), "no complete trial has robust accuracy >= 0.99"),
        (("--pick", "robust>=40"), "write a share in [0, 1], not percent"),
        (("--pick", "best"), "unknown pick 'best'; allowed are forms such as knee"),
        (("--pick", "knee", "--all"), "got --pick knee too; use one"),
        (("--output", "a.json", "--format", "yaml"), "name a file that ends in .yaml"),
        (("--all", "--output", "a.yaml"), "into a folder, got the file a.yaml"),
        (("--output", "file/a.yaml"), "name another place with --output"),
        (("--output", "a.txt"), "--output a.txt must be a folder, or a file that ends in .yaml"),
        (("--pick", ""), "unknown pick ''"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(export, tmp_path, arguments, words):
    (tmp_path / "file").touch()

    code, output = export(*arguments)

    assert code == 2
    assert words in output
    assert output.count("error:") == 1


def test_all_members_of_the_verified_front_are_exported_where_there_is_one(tmp_path):
    teachers = {"wide": {"architecture": "small_resnet8"}}
    results = study_of((0.95, 0.30), (0.90, 0.50), teachers=teachers)
    folder = write_results(results, tmp_path / "x")
    members = [make_member(results, n, pair) for n, pair in enumerate([(280, 100), (285, 120)])]
    write_files(make_verification(results, *members), folder / "verification")

    result = CliRunner().invoke(app, ["export", str(folder), "--all"])

    assert result.stdout.startswith("the front on verified numbers:")
    assert [path.name for path in (folder / "exported").iterdir()] == ["trial_0001.yaml"]


def test_validation_numbers_need_no_verification_that_can_be_read(export, tmp_path):
    file = tmp_path / "runs/x/verification/verification.json"
    file.parent.mkdir()
    file.write_text("{")

    assert "delete it and verify again" in export()[1]
    assert [export("--on", "validation", *more)[0] for more in ((), ("--all",))] == [0, 0]


def test_a_study_file_is_never_overwritten_by_a_config(export, tmp_path):
    file = tmp_path / "runs/x/study.yaml"
    before = file.read_bytes()

    code, output = export("--output", "runs/x/study.yaml")

    assert (code, file.read_bytes()) == (2, before)
    assert "runs/x/study.yaml is there and is no trial's config, so it is not overwritten" in output


def test_an_exported_config_is_written_again(export, results, tmp_path):
    export("--output", "a.yaml")

    code, _ = export("--pick", "max-robust", "--output", "a.yaml")

    assert code == 0
    assert load_trial_config(tmp_path / "a.yaml").model_dump(mode="json") == (
        pick(results, "max-robust").config
    )


@pytest.mark.parametrize("arguments", [(), ("--all",)])
def test_a_study_without_a_complete_trial_has_no_front(results, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    failed = dataclasses.replace(results.failed[0], number=0)
    write_results(Results(results.study, [failed]), tmp_path / "runs" / "x")

    result = CliRunner().invoke(app, ["export", "runs/x", *arguments])
    code, output = result.exit_code, " ".join(result.output.split())

    assert (code, "has no complete trial yet" in output) == (2, True)


def test_a_pick_becomes_a_file_name():
    assert slug("robust>=0.4") == "robust-at-least-0.4"
    assert slug("../trial:7") == "..-trial-7"
