"""The speed benchmark runs and counts; how fast anything is, is no test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.speed import plain
from benchmarks.speed.__main__ import main
from benchmarks.speed.cases import METHODS, STUDENTS
from benchmarks.speed.floor import PASSES
from benchmarks.speed.setting import Setting, Size
from trainables.models import Network

ROOT = Path(__file__).parents[2]
SIZE = Size(batch=4, steps=1, teacher="wide_resnet_10_1")


@pytest.fixture(scope="module", params=METHODS)
def setting(request):
    return Setting(request.param, "wide_resnet_10_1", SIZE, {"device": "cpu"})


def test_the_floor_counts_the_passes_that_our_step_makes(setting, monkeypatch):
    """Seen by the networks themselves: a pass is a forward; double backwards add none."""
    asked = {"student": 0, "teacher": 0}
    networks = {id(setting.run.student): "student", id(setting.teacher): "teacher"}
    outputs, forward = Network.outputs, Network.forward

    def counted(original):
        def call(network, *arguments):
            if networks.get(id(network)):
                asked[networks[id(network)]] += 1
            return original(network, *arguments)

        return call

    monkeypatch.setattr(Network, "forward", counted(forward))
    monkeypatch.setattr(
        Network,
        "outputs",
        lambda network, images, layers=(): (
            counted(outputs)(network, images, layers) if layers else outputs(network, images)
        ),
    )

    setting.ours()

    passes = METHODS[setting.method].passes
    assert asked == {
        who: sum(count for name, count in passes.items() if PASSES[name][0] == who)
        for who in ("student", "teacher")
    }


def test_every_raw_pass_takes_time(setting):
    seconds = setting.floor()

    assert list(seconds) == list(METHODS[setting.method].passes)
    assert all(value > 0 for value in seconds.values())


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_plain_loop_learns(method):
    setting = Setting(method, "wide_resnet_10_1", SIZE, {"device": "cpu"})
    images, labels = setting.run.data.train.images[:4], setting.run.data.train.labels[:4]
    student = setting.run.student.train()
    optimizer = torch.optim.SGD(student.parameters(), lr=0.01)

    losses = [
        plain.train(method, student, setting.teacher, iter([(images, labels)]), optimizer)
        for _ in range(4)
    ]

    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_one_command_writes_tables_and_json(tmp_path):
    written = tmp_path / "speed.json"
    command = [sys.executable, "-m", "benchmarks.speed", "--batch", "2", "--rounds", "1"]
    command += ["--teacher", "wide_resnet_10_1", "--students", "WRN-16-2"]
    command += ["--sections", "steps", "start", "validation", "arithmetic", "--json", str(written)]

    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    result = json.loads(written.read_text())
    assert [row["method"] for row in result["steps"]] == list(METHODS)
    assert result["about"]["batch"] == 2
    assert set(result) == {"about", "steps", "start", "validation", "arithmetic"}


def test_a_wrong_name_is_refused_before_anything_is_timed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["speed", "--students", *STUDENTS, "nonsense"])

    with pytest.raises(SystemExit):
        main()

    assert "unknown architecture 'nonsense'" in capsys.readouterr().err
