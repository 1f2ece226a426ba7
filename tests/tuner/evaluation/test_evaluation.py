"""``tuner evaluate``: what it measures, shows, writes and refuses."""

import csv
import json

import pytest
import torch
import yaml
from typer.testing import CliRunner

from trainables.config import TrialConfig
from trainables.distillation import Distillation
from trainables.models.checkpoints import read_checkpoint, save_atomically
from trainables.teachers import prepare_teacher
from tuner.cli import app

pytestmark = pytest.mark.slow

TRIAL = {
    "student": {"architecture": "small_resnet6"},
    "data": {"batch_size": 50},
    "threat": {"epsilon": 0.1},
    "attack": {"steps": 1, "step_size": 1.0},
    "optimizer": {"schedule": "cosine"},
    "epochs": 4,
    "hardware": {"device": "cpu"},
}


@pytest.fixture(scope="module")
def state():
    """The checkpoint of a short adversarial training."""
    distillation = Distillation.build(TrialConfig.model_validate(TRIAL))
    while not distillation.finished:
        distillation.train_epoch()
    return distillation.state_dict()


@pytest.fixture
def checkpoint(state, tmp_path):
    """The student where ``tuner train trial.yaml`` leaves it."""
    path = tmp_path / "runs" / "train" / "trial" / "checkpoint.pt"
    save_atomically(state, path)
    return path


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    """``evaluate(target, …)``: run the verb in an empty folder; returns exit code and output."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
        return result.exit_code, result.output

    return run


def written(folder):
    return json.loads((folder / "robustness.json").read_text())


def accuracies(folder):
    return {(row["attack"], row["epsilon"]): row for row in written(folder)["accuracies"]}


def test_a_checkpoint_is_measured_shown_and_written(evaluate, checkpoint):
    code, output = evaluate(checkpoint, "--images", "60")

    assert code == 0, output
    assert "accuracy in % on 60 test images of digits" in output
    assert "PGD-20 (margin, 20 x 0.1 epsilon, uniform start)" in output
    assert "worst case" in output
    assert "verdict: " in output
    assert output.splitlines()[-1] == f"plot: {checkpoint.parent / 'evaluation/robustness.png'}"
    found = written(checkpoint.parent / "evaluation")
    assert found["verdict"] in output.replace("\n", " ")
    assert (found["images"], found["epsilons"], found["norm"]) == (60, [0.1], "linf")
    assert len(found["gates"]) == 7


def test_attacks_by_radii_with_their_counts_and_intervals(evaluate, checkpoint):
    code, output = evaluate(
        *(checkpoint, "--attack", "fgsm", "--attack", "cw_inf", "--attack", "clean"),
        *("--epsilon", "8/255,2/255,0.1", "--images", "40", "--split", "validation"),
        *("--no-gates", "--output", "here"),
    )

    assert code == 0, output
    rows = accuracies(checkpoint.parents[3] / "here")
    radii = (2 / 255, 8 / 255, 0.1)
    names = ("FGSM (CE)", "PGD-30 (margin, 30 x 2/255, uniform start)", "worst case")
    assert set(rows) == {("clean", 0.0), *((name, e) for name in names for e in radii)}
    for row in rows.values():
        assert row["total"] == 40
        assert row["low"] < row["accuracy"] == row["correct"] / 40 <= row["high"] <= 1
        assert row["metric"].startswith("validation/")
    for e in radii:
        assert rows["worst case", e]["correct"] <= min(rows[n, e]["correct"] for n in names)
    table = (checkpoint.parents[3] / "here" / "robustness.csv").read_text()
    assert len(list(csv.DictReader(table.splitlines()))) == len(rows)
    assert "Linf 2/255" in output
    assert "verdict" not in output


def test_the_picture_is_a_picture_and_repeats(evaluate, checkpoint):
    arguments = (checkpoint, "--attack", "fgsm", "--images", "20", "--no-gates")
    evaluate(*arguments, "--output", "one")
    evaluate(*arguments, "--output", "two")

    root = checkpoint.parents[3]
    first, second = ((root / name / "robustness.png").read_bytes() for name in ("one", "two"))
    assert first[:8] == b"\x89PNG\r\n\x1a\n"
    assert first == second


def test_autoattack_has_its_parts_its_gates_and_a_state_of_its_own(evaluate, checkpoint):
    arguments = ("--attack", "fgsm", "--attack", "autoattack:queries=20", "--images", "12")

    code, output = evaluate(checkpoint, *arguments)

    assert code == 0, output
    folder = checkpoint.parent / "evaluation"
    assert len(list(folder.glob("autoattack-*.pt"))) == 1
    rows = accuracies(folder)
    whole = rows["AutoAttack (Square 20 queries)", 0.1]["correct"]
    assert rows["after Square", 0.1]["correct"] == whole == rows["worst case", 0.1]["correct"]
    names = {gate["name"] for gate in written(folder)["gates"]}
    assert "AutoAttack is at least as strong, Linf 0.1" in names
    assert "black box finds nothing new, AutoAttack, Linf 0.1" in names


def test_l2_is_another_ball(evaluate, checkpoint):
    code, output = evaluate(
        checkpoint, "--norm", "l2", "--epsilon", "0.5", "--images", "20", "--no-gates"
    )

    assert code == 0, output
    assert "L2 0.5" in output


def test_steps_too_short_for_the_ball_are_noted(evaluate, checkpoint):
    _, output = evaluate(
        *(checkpoint, "--attack", "pgd20", "--epsilon", "8/255,0.2"),
        *("--images", "10", "--no-gates"),
    )

    text = " ".join(output.split())  # where lines break depends on the length of the path
    assert text.count("too short to cross") == 1
    assert "too short to cross Linf 0.2" in text


@pytest.mark.usefixtures("checkpoint")
def test_a_config_means_the_student_that_was_trained_from_it(evaluate, tmp_path):
    (tmp_path / "trial.yaml").write_text(yaml.safe_dump(TRIAL))

    code, output = evaluate("trial.yaml", "--images", "10", "--no-gates")

    assert code == 0, output
    assert "runs/train/trial/checkpoint.pt" in output


def test_a_config_that_is_not_trained_says_how_to(evaluate, tmp_path):
    (tmp_path / "trial.yaml").write_text(yaml.safe_dump(TRIAL))

    code, output = evaluate("trial.yaml")

    assert code == 2
    assert "not trained yet" in output
    assert "train it with: tuner train trial.yaml" in output


@pytest.mark.usefixtures("checkpoint")
def test_a_config_that_has_changed_since_is_refused(evaluate, tmp_path):
    (tmp_path / "trial.yaml").write_text(yaml.safe_dump({**TRIAL, "epochs": 5}))

    code, output = evaluate("trial.yaml")

    assert (code, "trained from another config" in output) == (2, True)


def test_a_folder_means_the_checkpoint_in_it(evaluate, checkpoint):
    code, output = evaluate(checkpoint.parent, "--images", "10", "--no-gates")

    assert code == 0, output


def test_an_unfinished_training_is_noted(evaluate, state, tmp_path):
    save_atomically({**state, "epoch": 2}, tmp_path / "checkpoint.pt")

    _, output = evaluate("checkpoint.pt", "--images", "10", "--no-gates")

    assert "trained for 2 of 4 epochs so far" in output


def test_a_chosen_result_is_measured_instead_of_the_last_weights(evaluate, state, tmp_path):
    nothing = {key: torch.zeros_like(value) for key, value in state["student"].items()}
    save_atomically({**state, "student": nothing, "result": state["student"]}, tmp_path / "a.pt")

    evaluate("a.pt", "--images", "50", "--no-gates", "--output", "a")

    assert accuracies(tmp_path / "a")["clean", 0.0]["accuracy"] > 0.5


@pytest.mark.parametrize("layout", ["bare", "state_dict", "module."])
def test_foreign_weights_are_measured_once_they_are_named(evaluate, state, tmp_path, layout):
    weights = {key.removeprefix("model."): value for key, value in state["student"].items()}
    if layout == "module.":
        weights = {f"module.{key}": value for key, value in weights.items()}
    torch.save({"state_dict": weights} if layout == "state_dict" else weights, "foreign.pth")

    code, output = evaluate(
        *("foreign.pth", "--architecture", "small_resnet6", "--data", "digits"),
        *("--images", "50", "--no-gates"),
    )

    assert code == 0, output
    assert "read as small_resnet6 on digits, images standardised inside" in output
    rows = accuracies(tmp_path / "evaluation" / "foreign")
    assert rows["clean", 0.0]["accuracy"] > 0.5


def test_normalisation_is_what_the_user_says(evaluate, state, tmp_path):
    weights = {key.removeprefix("model."): value for key, value in state["student"].items()}
    torch.save(weights, "foreign.pth")
    rest = ("--architecture", "small_resnet6", "--images", "100", "--no-gates")

    evaluate("foreign.pth", *rest, "--output", "with")
    _, output = evaluate("foreign.pth", *rest, "--no-normalize", "--output", "without")

    assert "images as they are" in output
    right, wrong = (
        accuracies(tmp_path / name)["clean", 0.0]["correct"] for name in ("with", "without")
    )
    assert wrong < right


@pytest.mark.parametrize("old", [False, True], ids=["with its config", "from before it had one"])
def test_a_prepared_teacher_is_measured(evaluate, tmp_path, old):
    training = {"epochs": 1, "batch_size": 50, "attack": {"steps": 1, "step_size": 1.0}}
    teacher = {"architecture": "small_resnet6", "training": training}
    config = TrialConfig.model_validate({**TRIAL, "teacher": teacher, "method": {"name": "kd"}})
    path = prepare_teacher(config, tmp_path / "teachers").path
    if old:
        content = read_checkpoint(path)
        del content["config"]
        path.unlink()
        path = path.with_suffix(".pt")
        torch.save(content, path)

    code, output = evaluate(path, "--images", "10", "--no-gates")

    assert code == 0, output
    assert "small_resnet6: accuracy" in output
    assert (path.parent / "evaluation" / path.stem / "robustness.json").is_file()


def test_a_prepared_teacher_keeps_the_normalisation_of_its_file(evaluate, state, tmp_path):
    weights = {key.removeprefix("model."): value for key, value in state["student"].items()}
    statistics = {"mu": torch.full((1,), 0.3), "sigma": torch.full((1,), 0.4)}
    torch.save({**weights, **statistics}, tmp_path / "public.pt")
    settings = {"teacher": {"checkpoint": tmp_path / "public.pt"}, "method": {"name": "kd"}}
    config = TrialConfig.model_validate({**TRIAL, **settings})
    prepared = prepare_teacher(config, tmp_path / "teachers")

    code, output = evaluate(prepared.path, "--split", "validation", "--no-gates")

    assert code == 0, output
    measured = accuracies(prepared.path.parent / "evaluation" / prepared.path.stem)
    assert measured["clean", 0.0]["accuracy"] == pytest.approx(prepared.clean_accuracy)


def test_an_ensemble_is_evaluated_by_its_members(evaluate, tmp_path):
    torch.save({"members": ["a.pt", "b.pt"], "measured": {}}, tmp_path / "ensemble.pt")

    code, output = evaluate(tmp_path / "ensemble.pt")

    assert code == 2
    assert "is an ensemble of teachers; evaluate them one by one: a.pt, b.pt" in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--attack", "pgd2"), "did you mean 'pgd20'?"),
        (("--attack", "pgd:steps=0"), "steps must be greater than or equal to 1"),
        (("--epsilon", "8/255,,"), "'' is no length"),
        (("--epsilon", "2"), "epsilon must be a number or fraction above 0 and at most 1"),
        (("--norm", "l2"), "--norm l2 needs --epsilon"),
        (("--images", "301"), "--images must be at most 300"),
        (("--architecture", "small_resnet6"), "knows its own architecture"),
    ],
)
def test_what_cannot_be_is_one_sentence(evaluate, checkpoint, arguments, words):
    code, output = evaluate(checkpoint, *arguments)

    assert code == 2
    assert words in output
    assert "Traceback" not in output
    assert not (checkpoint.parent / "evaluation").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--architecture NAME"),
        (("--architecture", "small_resnet"), "did you mean 'small_resnet"),
        (("--architecture", "small_resnet8"), "is not of architecture 'small_resnet8'"),
        (("--architecture", "small_resnet6", "--data", "digit"), "did you mean 'digits'?"),
    ],
)
def test_foreign_weights_that_cannot_be_read_are_one_sentence(evaluate, state, options, words):
    weights = {key.removeprefix("model."): value for key, value in state["student"].items()}
    torch.save(weights, "foreign.pth")

    code, output = evaluate("foreign.pth", *options)

    assert (code, words in output) == (2, True), output


def test_folders_without_a_checkpoint_are_told_apart(evaluate, tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.yaml").touch()
    (tmp_path / "empty").mkdir()

    study, empty = evaluate("study"), evaluate("empty")

    assert (study[0], "name one of its trials" in study[1]) == (2, True)
    assert (empty[0], "holds no checkpoint.pt" in empty[1]) == (2, True)
