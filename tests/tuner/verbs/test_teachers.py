import json

import pytest
from typer.testing import CliRunner

from trainables.teacher_registry import public_teachers
from tuner.cli import app


@pytest.fixture
def tuner():
    """``tuner("teachers", …)``: the verb's exit code and output."""

    def run(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        return result.exit_code, result.output

    return run


def test_every_teacher_has_its_place(tuner, tmp_path):
    code, output = tuner("teachers", "--json", "--folder", tmp_path)

    rows = json.loads(output)

    assert code == 0
    assert [row["name"] for row in rows] == list(public_teachers())
    assert not any(row["present"] for row in rows)
    assert rows[0]["path"] == str(tmp_path / "model_cifar_wrn.pt")


def test_what_is_here_is_told_and_the_rest_says_where_to_get_it(tuner, tmp_path):
    (tmp_path / "model_cifar_wrn.pt").touch()

    _, output = tuner("teachers", "--folder", tmp_path)

    lines = {line.split()[0]: line for line in output.splitlines()}
    assert lines["Zhang2019Theoretically"].split()[-1] == "yes"
    assert lines["Chen2021LTD_WRN34_10"].split()[-1] == "no"
    assert "84.92 53.08" in lines["Zhang2019Theoretically"]
    assert "model_cifar_wrn.pt: get it from" not in output
    assert (
        "Chen2021LTD_WRN34_10.pt: get it from Google Drive 1-0RoQKYvHLNh7hZ71wJjSit1XtrJQo9D"
        in output
    )


def test_the_last_line_says_where_files_belong(tuner, tmp_path):
    _, output = tuner("teachers", "--folder", tmp_path)

    assert output.splitlines()[-1] == f"files belong in: {tmp_path}"
