"""``tuner package``: programs, their check, the model card, and what is not called good."""

import dataclasses
import hashlib
import io
import json

import pytest
import torch
import yaml
from rich.console import Console
from typer.testing import CliRunner

from trainables.config import TrialConfig
from trainables.data import load_data
from trainables.distillation import Distillation
from trainables.evaluation import clean_accuracy
from trainables.models.checkpoints import save_atomically
from trainables.models.student_file import write_student
from trainables.programs.agreement import Agreement
from trainables.programs.packaging import load_pt2
from tuner.cli import app
from tuner.evaluation.target import Foreign, find_target
from tuner.packaging.data_licences import LICENCES, data_licence, student_licence
from tuner.packaging.facts import markdown, table
from tuner.packaging.files import disagreement, refuse_foreign, write_package
from tuner.packaging.making import make_package
from tuner.packaging.model_card import model_card
from tuner.verbs.package import checks_table

TRIAL = TrialConfig.model_validate(
    {
        "student": {"architecture": "small_resnet6"},
        "data": {"batch_size": 100},
        "threat": {"epsilon": 0.1},
        "attack": {"steps": 1, "step_size": 1.0},
        "validation": {"attack": {"steps": 2}},
        "optimizer": {"name": "adamw", "learning_rate": 0.005},
        "epochs": 2,
        "hardware": {"device": "cpu"},
    }
)


@pytest.fixture(scope="module")
def state():
    """The checkpoint of a student that was trained for a moment."""
    distillation = Distillation.build(TRIAL)
    while not distillation.finished:
        distillation.train_epoch()
    return distillation.state_dict()


@pytest.fixture
def checkpoint(state, tmp_path):
    path = tmp_path / "run" / "checkpoint.pt"
    save_atomically(state, path)
    return path


@pytest.fixture(scope="module")
def made(state, tmp_path_factory):
    """A package with a torch.export program; the quicker of the two."""
    folder = tmp_path_factory.mktemp("made")
    path = folder / "run" / "checkpoint.pt"
    save_atomically(state, path)
    return make_package(find_target(path, Foreign()), ["pt2"], folder / "package", lambda _: None)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """``package(…)``: run the verb in an empty folder; returns exit code and output."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(app, ["package", *map(str, arguments)])
        return result.exit_code, " ".join(result.output.split())

    return run


@pytest.mark.slow
def test_a_package_holds_programs_numbers_config_and_card(package, checkpoint):
    code, output = package(checkpoint)

    folder = checkpoint.parent / "package"
    assert code == 0, output
    assert output.endswith(f"model card: {folder / 'README.md'}")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.yaml",
        "package.json",
        "student.onnx",
        "student.pt2",
    ]
    content = json.loads((folder / "package.json").read_text())
    assert content["good"] is True
    assert content["checkpoint_sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    for name in ("student.onnx", "student.pt2"):
        found = content["programs"][name]
        assert found["differing"] == []
        assert found["max_difference"] < 1e-4
        assert found["robust_accuracy"] == content["network"]["robust_accuracy"]
        assert found["bytes"] == (folder / name).stat().st_size


def test_a_program_has_the_students_accuracy_on_the_test_images(made):
    split = load_data(TRIAL.data, torch.device("cpu")).test[:256]

    assert made.network.images == 256
    assert made.network.clean_accuracy == clean_accuracy(made.target.network, split)
    assert made.agreements["student.pt2"].clean_accuracy == made.network.clean_accuracy
    assert made.network.robust_accuracy < made.network.clean_accuracy


def test_weights_alone_give_the_same_program(made, state, tmp_path):
    path = write_student(state, tmp_path / "student.safetensors")

    again = make_package(find_target(path, Foreign()), ["pt2"], tmp_path / "p", lambda _: None)

    images = made.split.images
    programs = [load_pt2(p / "student.pt2") for p in (folder_of(made), tmp_path / "p")]
    torch.testing.assert_close(programs[0](images), programs[1](images), rtol=0, atol=0)
    assert again.network == made.network


def folder_of(made):
    return made.target.path.parent.parent / "package"


def test_the_card_says_what_how_good_and_where_it_ends(made):
    card = model_card(made)

    _, head, body = card.split("---\n", 2)
    facts = yaml.safe_load(head)
    (results,) = facts["model-index"][0]["results"]
    assert facts["license"] == "apache-2.0"
    assert results["metrics"][0]["value"] == round(made.network.clean_accuracy, 4)
    for part in (
        "# small_resnet6 on digits",
        f"| no attack | test | 256 | {100 * made.network.clean_accuracy:.1f} |",
        "margin PGD-2, step 0.25 epsilon, Linf epsilon 0.1",
        'torch.export.load("student.pt2")',
        "Grey levels from 0 to 16 are divided by 16",
        "UCI",
        "Larger changes, other norms",
        "tuner evaluate",
    ):
        assert part in body
    assert "onnxruntime.InferenceSession" not in body


def test_the_cards_python_runs(made, monkeypatch):
    monkeypatch.chdir(folder_of(made))
    code = model_card(made).split("```python\n")[1].partition("```")[0]

    found = {}
    exec(code, found)

    assert found["classes"].shape == (1,)


def test_what_tuner_evaluate_found_of_the_same_weights_is_in_the_card(made):
    row = {"attack": "AutoAttack", "norm": "linf", "epsilon": 0.1, "total": 300, "correct": 30}
    evaluation = {
        "split": "test",
        "accuracies": [row],
        "verdict": "masked gradients: gradients exist? No",
    }

    card = model_card(dataclasses.replace(made, evaluation=evaluation))

    assert "| AutoAttack, linf epsilon 0.1 | test | 300 | 10.0 | 7.1 to 13.9 |" in card
    assert "By the gates: masked gradients: gradients exist? No." in card
    assert "AutoAttack was not run" not in card


def test_an_evaluation_without_autoattack_leaves_the_warning_and_has_its_verdict(made):
    row = {"attack": "PGD-20", "norm": "linf", "epsilon": 0.1, "total": 300, "correct": 60}
    clean = {**row, "attack": "clean", "epsilon": 0.0, "correct": 240}
    evaluation = {"split": "test", "accuracies": [clean, row], "verdict": "plausible"}

    card = model_card(dataclasses.replace(made, evaluation=evaluation))

    assert "| no attack | test | 300 | 80.0 |" in card
    assert "| PGD-20, linf epsilon 0.1 |" in card
    assert "AutoAttack was not run on this student" in card
    assert "Is the robustness real, or are gradients masked? By the gates: plausible." in card


def test_a_program_that_predicts_otherwise_is_not_called_good(made, tmp_path):
    wrong = Agreement(256, 0.5, (3, 17, 40, 99, 100, 200), 200, 90)
    bad = dataclasses.replace(made, agreements={**made.agreements, "student.onnx": wrong})
    bad.sizes["student.onnx"] = 1
    write_package(made, tmp_path)

    with pytest.raises(ValueError, match=r"student\.onnx on 6 of 256 test images \(3, 17, 40, 99"):
        write_package(bad, tmp_path)

    assert json.loads((tmp_path / "package.json").read_text())["good"] is False
    assert not (tmp_path / "README.md").exists()
    assert "student.pt2" not in disagreement(bad)


def test_without_onnx_the_other_format_is_made_and_one_line_says_so(
    package, checkpoint, monkeypatch
):
    monkeypatch.setattr("trainables.programs.packaging.NEEDED_FOR_ONNX", ("no_such_package",))

    code, output = package(checkpoint)
    asked, refusal = package(checkpoint, "--format", "onnx")

    assert (code, asked) == (0, 2)
    assert output.startswith("note: without student.onnx: ONNX needs packages that are not")
    assert "pip install 'robust-distillation-tuner[onnx]'" in refusal
    assert (checkpoint.parent / "package" / "student.pt2").is_file()


def test_a_package_overwrites_nothing_but_a_package(package, state, tmp_path):
    save_atomically(state, tmp_path / "run/checkpoint.pt")
    readme = tmp_path / "project/README.md"
    readme.parent.mkdir()
    readme.write_text("mine")

    code, output = package("run", "--output", "project")

    assert (code, readme.read_text()) == (2, "mine")
    assert "project holds something else than a package (README.md); name an empty" in output


def test_an_earlier_package_is_overwritten(made, tmp_path):
    write_package(made, tmp_path / "package")

    refuse_foreign(tmp_path / "package")
    refuse_foreign(tmp_path / "new")


def test_the_table_of_a_package_fits_80_columns_and_names_the_attack(made):
    console = Console(file=io.StringIO(), width=80)

    console.print(checks_table(made))

    text = console.file.getvalue()
    assert "…" not in text
    assert "robust: margin PGD-2, step 0.25 epsilon, Linf epsilon 0.1" in " ".join(text.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing.pt",), "does not exist"),
        ((".",), "holds no checkpoint.pt and no student.safetensors; name a checkpoint"),
        (("x.pt", "--format", "onx"), "unknown format 'onx'; did you mean 'onnx'?"),
    ],
)
def test_what_cannot_be_packaged_is_one_sentence(package, arguments, words):
    code, output = package(*arguments)

    assert (code, words in output, output.count("error:")) == (2, True, 1)


def test_text_in_markdown_stays_what_it_is():
    assert markdown("a|b\n<script>&\u2028c") == "a\\|b &lt;script>&amp; c"
    assert markdown("![x](http://example.org/x.png)") == "!\\[x](http://example.org/x.png)"
    assert table(("a", "b"), [["1", "x|y"]]) == "| a | b |\n| --- | --- |\n| 1 | x\\|y |\n"


def test_a_student_of_images_with_terms_of_their_own_is_not_said_to_be_free():
    assert [student_licence(name) for name in ("digits", "svhn", "folder")] == [
        "apache-2.0",
        "other",
        "other",
    ]


def test_every_data_set_has_terms():
    from trainables.data import DATASETS

    assert set(DATASETS) == set(LICENCES)
    assert "not known" in data_licence("another")
