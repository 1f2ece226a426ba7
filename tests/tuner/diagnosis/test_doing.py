"""``tuner diagnose`` on a student that was trained for a moment."""

import json
import shutil

import pytest
import torch
import yaml
from typer.testing import CliRunner

from trainables.config import TrialConfig
from trainables.data import load_data
from trainables.distillation import Distillation
from trainables.evaluation import clean_accuracy
from trainables.models.checkpoints import save_atomically
from trainables.teachers import load_teacher
from tuner.cli import app
from tuner.diagnosis.measures import Request, find_student, measure
from tuner.diagnosis.tables import finite
from tuner.records import TrialRecord, TrialState
from tuner.storage.directory import StudyDirectory
from tuner.study import StudyConfig
from tuner.tracking.client import connect
from tuner.tracking.diagnosis import upload
from tuner.tracking.study import MlflowStudy
from tuner.tracking.tracker import default_uri

pytestmark = pytest.mark.slow

TRIAL = TrialConfig.model_validate(
    {
        "student": {"architecture": "small_resnet6"},
        "teacher": {
            "architecture": "small_wide_resnet10",
            "training": {"epochs": 1, "attack": {"steps": 1}},
        },
        "data": {"batch_size": 100},
        "method": {"name": "kd"},
        "threat": {"epsilon": 0.1},
        "attack": {"steps": 1},
        "validation": {"attack": {"steps": 2}},
        "optimizer": {"name": "adamw", "learning_rate": 0.005},
        "epochs": 2,
        "hardware": {"device": "cpu"},
    }
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """``runs`` with a prepared teacher, and a trained student in ``runs/train/one``."""
    runs = tmp_path_factory.mktemp("runs")
    distillation = Distillation.build(TRIAL, load_teacher(TRIAL, runs / "teachers"))
    while not distillation.finished:
        distillation.train_epoch()
    save_atomically(distillation.state_dict(), runs / "train" / "one" / "checkpoint.pt")
    return runs


@pytest.fixture
def diagnose(tmp_path, monkeypatch):
    """``diagnose(target, …)``: run the verb in an empty folder; exit code and output."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(app, ["diagnose", *(str(a) for a in arguments)])
        return result.exit_code, result.output

    return run


@pytest.fixture
def student(trained):
    return trained / "train" / "one"


def test_a_student_is_measured_beside_its_teacher(student, diagnose):
    code, output = diagnose(student, "--images", 40, "--certify", "--epsilon", "0,0.05,1/10")

    place = student / "diagnosis"
    content = json.loads((place / "diagnosis.json").read_text())
    assert code == 0
    assert content["networks"] == ["student small_resnet6", "teacher small_wide_resnet10"]
    assert [row["epsilon"] for row in content["gaps"]["student small_resnet6"]] == [0, 0.05, 0.1]
    assert 0 < content["empirical_bound"]["share"] <= 1
    assert content["images"] == 40
    assert "EMPIRICAL" in output
    assert output.splitlines()[-1] == f"look at: {place / 'gaps.png'}"
    for name in ("gaps", "correlation", "saliency", "features", "certified"):
        assert (place / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_teacher_the_comparison_is_left_out(student, diagnose, tmp_path):
    code, output = diagnose(
        student, "--teacher", "none", "--images", 10, "--epsilon", "0.1", "--output", tmp_path
    )

    content = json.loads((tmp_path / "diagnosis.json").read_text())
    assert code == 0
    assert content["networks"] == ["student small_resnet6"]
    assert content["empirical_bound"] == content["gradients"] == {}
    assert "at least 3 pairs" in " ".join(output.split())
    assert not (tmp_path / "certified.png").exists()


def test_clean_accuracy_is_the_row_of_epsilon_0(student):
    found = measure(find_student(student), Request(teacher="none", epsilons=(0.0,)))

    (row,) = found.rows["student small_resnet6"]
    data = load_data(TRIAL.data, torch.device("cpu"))
    assert row.robust_accuracy == clean_accuracy(found.student.network, data.validation)


def test_the_averaged_weights_are_measured_where_there_are_some(student, tmp_path):
    state = torch.load(student / "checkpoint.pt", weights_only=True)
    average = {key: torch.zeros_like(value) for key, value in state["student"].items()}
    save_atomically({**state, "result": average}, tmp_path / "checkpoint.pt")

    found = find_student(tmp_path)

    assert all(not value.any() for value in found.network.state_dict().values())


def test_another_run_can_be_the_teacher(student):
    checkpoint = str(student / "checkpoint.pt")

    found = measure(find_student(student), Request(checkpoint, epsilons=(0.1,), images=20))

    assert found.gradients["gradient_cosine"] == pytest.approx(1)
    assert found.distance.covariance == pytest.approx(0, abs=1e-6)


def test_weights_alone_can_be_the_teacher(student, trained):
    (weights,) = (trained / "teachers").glob("*.safetensors")

    named, auto = (
        measure(find_student(student), Request(teacher, epsilons=(0.1,), images=20))
        for teacher in (str(weights), "auto")
    )

    assert named.gradients == auto.gradients


def test_a_missing_teacher_is_one_sentence(student, diagnose, tmp_path):
    lonely = tmp_path / "lonely"
    lonely.mkdir()
    shutil.copy(student / "checkpoint.pt", lonely)

    code, output = diagnose(lonely)

    assert code == 2
    assert "small_wide_resnet10" in output
    assert "is not in runs/teachers; name its folder with --teachers" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--epsilon", "0,wide"], "such as 0,0.1,8/255; got 'wide'"),
        (["--epsilon", "1/0"], "got '1/0'"),
        (["--epsilon", "2"], "every epsilon must be in [0, 1], as images are, got 2.0"),
        (["--certify", "--sigma", "0"], "sigma"),
        (["--teacher", "nobody.pt"], "nobody.pt does not exist"),
    ],
)
def test_a_wrong_option_is_one_sentence(arguments, said, student, diagnose):
    code, output = diagnose(student, *arguments)

    assert code == 2
    assert said in output
    assert "Traceback" not in output


def test_a_folder_of_nothing_is_one_sentence(diagnose, tmp_path):
    code, output = diagnose(tmp_path)

    assert code == 2
    assert "holds neither study.yaml nor checkpoint.pt" in output


def test_weights_are_no_student(trained, diagnose):
    (weights,) = (trained / "teachers").glob("*.safetensors")

    code, output = diagnose(weights)

    assert code == 2
    assert "only students that were trained here" in output


def test_json_holds_no_nan():
    assert finite({"a": [float("nan"), 1.0], "b": {"c": float("inf")}}) == {
        "a": [None, 1.0],
        "b": {"c": None},
    }


@pytest.fixture
def study(tmp_path):
    """A study with one complete trial, in MLflow's own SQLite store beside it."""
    directory = StudyDirectory(tmp_path / "runs" / "digits")
    config = StudyConfig(name="digits")
    directory.path.mkdir(parents=True)
    directory.config.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    return directory


def artifacts(directory, trial):
    client = connect(default_uri(directory.path))
    mlflow = MlflowStudy(client, directory.study(), directory.path)
    runs = [mlflow.run_id] if trial is None else [run.info.run_id for run in mlflow.children()]
    return [file.path for file in client.list_artifacts(runs[0], "diagnosis")]


@pytest.mark.parametrize("trial", [None, 3])
def test_files_go_to_the_run_of_the_study_or_of_the_trial(trial, study, tmp_path):
    mlflow = MlflowStudy(connect(default_uri(study.path)), study.study(), study.path)
    config = TRIAL.model_dump(mode="json")
    mlflow.write(TrialRecord(3, TrialState.running, "searched", "wide", config))
    files = tmp_path / "files"
    files.mkdir()
    (files / "gaps.png").write_bytes(b"picture")

    run = upload(study, files, trial)

    assert run is not None
    assert artifacts(study, trial) == ["diagnosis/gaps.png"]


def test_a_study_that_mlflow_does_not_know_is_left_alone(study, tmp_path):
    before = upload(study, tmp_path, None)
    connect(default_uri(study.path))

    assert before is None
    assert upload(study, tmp_path, None) is None
    assert connect(default_uri(study.path)).get_experiment_by_name("digits") is None
