"""One run over two workers of the real Ray Train, one of which is killed."""

import ipaddress

import psutil
import pytest
import torch
import yaml
from run_tuner import tuner

from trainables.config import TrialConfig
from trainables.distributed import train_distributed
from trainables.models.checkpoints import read_checkpoint
from trainables.single import train

pytestmark = pytest.mark.end_to_end

CONFIG = {
    "student": {"architecture": "small_resnet6"},
    "teacher": {
        "architecture": "small_resnet8",
        "training": {"epochs": 1, "batch_size": 300, "attack": {"steps": 1}},
    },
    "data": {"batch_size": 300},
    "threat": {"epsilon": 0.1},
    "method": {"name": "kd"},
    "alignments": {"covariance": {"domains": "clean"}, "input_gradient": {"weight": 0.1}},
    "validation": {"attack": {"steps": 2}},
    "epochs": 4,
    "hardware": {"device": "cpu"},
}


@pytest.fixture
def config():
    return TrialConfig.model_validate(CONFIG)


def workers():
    descendants = psutil.Process().children(recursive=True)
    return [process for process in descendants if "TrainWorker" in " ".join(process.cmdline())]


def addresses(processes):
    """At which they listen for others."""
    found = {
        ipaddress.ip_address(c.laddr.ip) for process in processes
        for c in process.net_connections("inet") if c.status == "LISTEN"
    }  # fmt: skip
    return {getattr(address, "ipv4_mapped", None) or address for address in found}


def stopped_after_one_epoch(config, checkpoint, teachers):
    """What the first epoch reported; its checkpoint is written when the second is asked for."""
    run = train(config, checkpoint, teachers)
    first = next(run)
    next(run)
    run.close()
    return first


def test_a_run_of_one_process_goes_on_with_two_workers_though_one_is_killed(config, tmp_path):
    teachers, checkpoint = tmp_path / "teachers", tmp_path / "shared" / "checkpoint.pt"
    alone = list(train(config, tmp_path / "alone.pt", teachers))
    begun = stopped_after_one_epoch(config, checkpoint, teachers)

    reports = []
    for report in train_distributed(config, checkpoint, teachers, workers=2):
        reports.append(report)
        if len(reports) == 1:
            victims = workers()
            listened = addresses(victims)
            victims[-1].kill()

    assert len(victims) == 2
    assert listened
    assert [address for address in listened if not address.is_loopback] == []
    assert begun == alone[0]
    assert [epoch for epoch, _ in reports] == [2, 3, 4]
    for (_, metrics), (_, expected) in zip(reports, alone[1:], strict=True):
        assert metrics.keys() == expected.keys()
        assert metrics["train/loss"] == pytest.approx(expected["train/loss"], rel=1e-3)
        for name in ("val/clean_accuracy", "val/robust_accuracy"):
            assert metrics[name] == pytest.approx(expected[name], abs=0.02)
    weights, expected = (
        read_checkpoint(path)["student"] for path in (checkpoint, tmp_path / "alone.pt")
    )
    torch.testing.assert_close(weights, expected, rtol=1e-2, atol=1e-3)
    assert [path.name for path in checkpoint.parent.iterdir()] == ["checkpoint.pt"]
    assert next(train(config, checkpoint, teachers))[0] == 4


def test_the_checkpoint_of_another_config_is_refused_in_one_sentence(config, tmp_path):
    checkpoint, teachers = tmp_path / "checkpoint.pt", tmp_path / "teachers"
    stopped_after_one_epoch(config, checkpoint, teachers)
    other = config.model_copy(update={"seed": 1})

    with pytest.raises(ValueError, match="this checkpoint belongs to another config"):
        list(train_distributed(other, checkpoint, teachers, workers=1))


def test_tuner_train_shares_every_batch_among_workers(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "epochs": 1}))

    run = tuner(tmp_path, "train", "config.yaml", "--workers", 2, "--no-tracking")

    assert run.returncode == 0, run.stdout + run.stderr
    assert "epoch 1/1: loss" in run.stdout
    assert (tmp_path / "runs" / "train" / "config" / "student.safetensors").is_file()
