"""``tuner verify`` and ``tuner front --split test``: what is refused, before anything is begun."""

import pytest
from make_verification import make_member, make_verification, study_of
from typer.testing import CliRunner

from tuner.cli import app
from tuner.storage.directory import StudyDirectory
from tuner.verification.files import write_files


@pytest.fixture
def place(tmp_path):
    """A study without any trial."""
    directory = StudyDirectory(tmp_path / "study")
    directory.claim(study_of().study)
    return directory


def refused(*arguments):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 2
    return " ".join(result.output.split())


def test_a_folder_without_a_study_is_refused(tmp_path):
    assert "holds no study" in refused("verify", tmp_path)


def test_a_study_without_a_complete_trial_has_nothing_to_verify(place):
    assert "has no complete trial yet" in refused("verify", place.path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--attack", "autoatack"], "did you mean 'autoattack'"),
        (["--epsilon", "0.1,far"], "'far' is no length"),
        (["--epsilon", "2"], "epsilon must be a number or fraction above 0 and at most 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(place, options, sentence):
    assert sentence in refused("verify", place.path, *options)


def test_the_test_split_is_closed_before_a_verification(place):
    assert "has not been opened" in refused("front", place.path, "--split", "test")


def test_afterwards_its_front_is_shown(place):
    results = study_of((0.95, 0.30))
    write_files(
        make_verification(results, make_member(results, 0, (285, 60), (282, 66))),
        place.path / "verification",
    )

    shown = CliRunner().invoke(app, ["front", str(place.path), "--split", "test"])

    assert shown.exit_code == 0
    assert "Verified front of digits-small" in shown.output
    assert "21.0 ±1.4" in shown.output
    assert shown.output.splitlines()[-1].endswith("verification/verification.png")
