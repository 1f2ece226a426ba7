"""What the doctor finds wrong, machine by machine, and that it leaves nothing behind."""

import json
import socket
from dataclasses import replace

import pytest
import yaml
from machines import GIGABYTE, HEALTHY, NEED, NODE
from typer.testing import CliRunner

from trainables.data import DataConfig
from trainables.teacher_config import TeacherConfig
from tuner.cli import app
from tuner.doctor.checks import CHECKS, findings
from tuner.doctor.examination import Patient, examine, named
from tuner.doctor.facts import Facts, Need
from tuner.doctor.probe import look, try_storage
from tuner.doctor.services import mlflow, optuna_storage
from tuner.doctor.storage import nonce_in
from tuner.study import ResourcesConfig, StudyConfig
from tuner.study_file import find_study, load_study


def wrong(machines, need=NEED):
    """Check, text and remedy of everything that is wrong."""
    return [(f.check, f.text, f.remedy) for f in findings(machines, need) if not f.ok]


def without(package):
    return {**HEALTHY.versions, package: ""}


def test_healthy_machines_get_a_line_per_check():
    found = findings([HEALTHY, NODE, NODE], NEED)

    assert [finding.check for finding in found] == [check.name for check in CHECKS]
    assert all(finding.ok for finding in found)


@pytest.mark.parametrize(
    ("change", "check", "text", "remedy"),
    [
        ({"versions": without("timm")}, "versions", "lacks timm", "constraints.txt"),
        (
            {"versions": {**HEALTHY.versions, "torch": "1.9.0"}},
            "versions",
            "has torch 1.9.0 (driver: 2.0.0)",
            "constraints.txt",
        ),
        ({"python": "3.12.1"}, "versions", "has Python 3.12.1, the driver 3.11.7", "same Python"),
        ({"code": "5e1f00d5"}, "code", "other code of ours (5e1f00d5)", "same commit"),
        ({"code": ""}, "code", "other code of ours (none)", "same commit"),
        ({"ray_gpus": 2.0}, "gpus", "Ray lends 2 GPUs, PyTorch 2.0.0 sees 0", "--num-gpus 0"),
        ({"gpu_problem": "libcuda.so"}, "gpus", "cannot look for GPUs: libcuda.so", "reinstall"),
        ({"memory": GIGABYTE}, "memory", "1 GB of memory free; trials at once there: 2", "lower"),
        ({"shared_memory": 64 * 2**20}, "shared memory", "0.0671 GB free", "--shm-size=1g"),
        ({"disk": GIGABYTE // 10}, "disk", "/studies has 0.1 GB free", "free some"),
        ({"temporary_used": 0.96}, "disk", "/tmp is 96% full", "--temp-dir"),
        ({"storage_problem": "does not see it"}, "storage", "/studies: does not see it", "NFS"),
        ({"skew": -3.0, "skew_known_to": 0.5}, "clock", "3.0 s behind", "time service"),
    ],
)
def test_what_is_wrong_on_a_node_is_said_of_that_node(change, check, text, remedy):
    ((found, said, advice),) = wrong([HEALTHY, NODE, replace(NODE, name="node B", **change)])

    assert found == check
    assert said.startswith("node B: ")
    assert text in said
    assert remedy in advice


@pytest.mark.parametrize("package", ["optuna", "mlflow"])
def test_only_the_driver_needs_optuna_and_mlflow(package):
    on_the_node = wrong([HEALTHY, replace(NODE, versions=without(package))])
    on_the_driver = wrong([replace(HEALTHY, versions=without(package)), NODE])

    assert on_the_node == []
    assert [(check, text) for check, text, _ in on_the_driver] == [
        ("versions", f"this machine: lacks {package}")
    ]


def test_a_build_for_another_device_is_the_same_version():
    versions = {**HEALTHY.versions, "torch": "2.0.0+cu130"}

    assert wrong([HEALTHY, replace(NODE, versions=versions)]) == []


def test_a_clock_is_not_blamed_for_a_slow_answer():
    assert wrong([HEALTHY, replace(NODE, skew=3.0, skew_known_to=2.5)]) == []


def test_memory_is_asked_for_the_trials_that_fit_on_a_node():
    need = replace(NEED, resources=ResourcesConfig(cpus=4, max_concurrent=32))

    enough = wrong([HEALTHY, replace(NODE, memory=2 * GIGABYTE)], need)
    too_little = wrong([HEALTHY.without_trials(), replace(NODE, memory=GIGABYTE)], need)

    assert [check for check, _, _ in enough] == ["memory"]  # the driver itself, with 32 at once
    assert "trials at once there: 2" in too_little[0][1]


def test_data_that_nobody_downloads_has_to_be_there(tmp_path):
    data = DataConfig(name="folder", path=tmp_path / "images", classes=2, resolution=32)
    need = replace(NEED, data=data)

    ((check, text, _),) = wrong([HEALTHY, replace(NODE, missing=list(need.data_files))], need)

    assert check == "data"
    assert str(tmp_path / "images") in text


def test_data_that_is_downloaded_is_only_told():
    need = replace(NEED, data=DataConfig(name="cifar10"))
    lacking = replace(NODE, missing=list(need.data_files))

    (line,) = [f for f in findings([HEALTHY, lacking], need) if f.check == "data"]

    assert line.ok
    assert "is downloaded when a trial needs it, by node 10.0.0.3" in line.text


def test_a_teachers_file_has_to_be_on_every_node(tmp_path):
    teacher = TeacherConfig(architecture="small_resnet6", checkpoint=tmp_path / "t.pt")
    need = replace(NEED, teachers=(teacher,))

    found = wrong([HEALTHY, replace(NODE, missing=[str(tmp_path / "t.pt")])], need)

    assert [(check, text) for check, text, _ in found] == [
        ("teachers", f"{NODE.name}: no teacher at {tmp_path / 't.pt'}")
    ]


def test_public_teachers_are_looked_for_where_they_belong():
    study = StudyConfig(name="s", teachers={"t": TeacherConfig(name="Zhang2019Theoretically")})

    assert Need.of(study, "/studies").teacher_files == [
        "~/.cache/robust-distillation/teachers/model_cifar_wrn.pt"
    ]


def test_this_machine_is_looked_at_without_leaving_anything(tmp_path):
    study, _ = named("digits", None)

    found = examine(Patient(study, tmp_path / "runs" / "digits"))

    assert {line.check for line in found} >= {check.name for check in CHECKS}
    assert {line.text for line in found if line.check == "storage"} == {
        f"{tmp_path} can be written"
    }
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_a_file_cannot_be_written(tmp_path):
    (tmp_path / "runs").touch()

    (line,) = [f for f in examine(Patient(None, tmp_path / "runs")) if f.check == "storage"]

    assert "cannot write there" in line.text
    assert "choose another --directory" in line.remedy


def test_nodes_that_see_another_folder_say_so(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    with nonce_in(tmp_path / "a") as nonce:
        same, other = try_storage(tmp_path / "a", nonce), try_storage(tmp_path / "b", nonce)

    assert same == ""
    assert other == "does not see what the driver writes there"
    assert list((tmp_path / "a").iterdir()) == []


def test_a_machine_says_of_itself_what_facts_hold(tmp_path):
    facts = Facts(name="here", **look(str(tmp_path), "none", ["/nowhere", str(tmp_path)]))

    assert facts.missing == ["/nowhere"]
    assert facts.versions["robust-distillation-tuner"]
    assert len(facts.code) == 8
    assert facts.memory > 0


def test_a_database_that_does_not_answer_keeps_its_password_to_itself():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"postgresql://tuner:hunter2@127.0.0.1:{closed.getsockname()[1]}/optuna"

        line = optuna_storage(url)

    assert not line.ok
    assert "postgresql://tuner:***@127.0.0.1" in line.text
    assert "hunter2" not in line.text + line.remedy


@pytest.mark.parametrize("url", [None, "sqlite:///optuna.db"])
def test_storage_on_this_machine_is_not_made_by_looking(tmp_path, monkeypatch, url):
    monkeypatch.chdir(tmp_path)

    line = optuna_storage(url)

    assert line.ok
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["not a url", "postgresql://host:abc/x"])
def test_text_that_is_no_url_is_a_finding(url):
    line = optuna_storage(url)

    assert not line.ok
    assert "correct storage in the study file" in line.remedy


def test_a_dead_mlflow_server_is_a_finding_without_its_password():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        line = mlflow(f"http://me:hunter2@127.0.0.1:{closed.getsockname()[1]}")

    assert "MLflow does not answer at http://me:***@127.0.0.1" in line.text
    assert "start the server there" in line.remedy
    assert "hunter2" not in line.text + line.remedy


def test_an_mlflow_file_is_made_by_the_study_not_by_looking(tmp_path):
    line = mlflow(f"sqlite:///{tmp_path}/mlflow.db")

    assert line.ok
    assert list(tmp_path.iterdir()) == []


def test_a_study_is_named_by_directory_file_or_name(tmp_path):
    content = yaml.safe_load(find_study("digits").read_text())
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    digits = load_study(find_study("digits"))

    by_directory, place = named(str(tmp_path), None)

    assert (by_directory, place) == (digits, tmp_path)
    assert named(str(tmp_path / "study.yaml"), None)[0] == digits
    assert named("digits", None)[1].parts == ("runs", "digits")


def test_the_verb_tells_by_its_exit_code_and_as_json(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").touch()

    well = CliRunner().invoke(app, ["doctor", "--directory", "elsewhere"])
    ill = CliRunner().invoke(app, ["doctor", "--json"])

    assert (well.exit_code, well.output.splitlines()[-1]) == (0, "all is well")
    assert ill.exit_code == 1
    rows = json.loads(ill.output)
    assert [row["check"] for row in rows if not row["ok"]] == ["storage"]
