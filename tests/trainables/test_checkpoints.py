import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from trainables.models import create_network
from trainables.models.checkpoints import (
    load_weights,
    read_checkpoint,
    save_atomically,
    weights_in,
)

ARCHITECTURE = "small_resnet6"


@pytest.fixture
def network():
    return create_network(
        ARCHITECTURE, image_shape=(1, 8, 8), num_classes=10, mean=[0.0], std=[1.0]
    )


@pytest.fixture
def weights(network):
    return {key: torch.full_like(value, 2) for key, value in network.model.state_dict().items()}


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("prefix", ["", "module.", "module.0.", "_orig_mod.", "model."])
@pytest.mark.parametrize("container", [None, "state_dict", "model_state_dict", "net", "student"])
def test_weights_are_found_in_every_layout(network, weights, tmp_path, prefix, container):
    prefixed = {prefix + key: value for key, value in weights.items()}
    torch.save({container: prefixed} if container else prefixed, tmp_path / "file.pt")

    load_weights(network, tmp_path / "file.pt", ARCHITECTURE)

    assert all((parameter == 2).all() for parameter in network.model.parameters())


def test_a_prefix_that_only_some_keys_carry_stays(weights):
    mixed = {
        ("module." if i else "") + key: value for i, (key, value) in enumerate(weights.items())
    }

    assert weights_in(mixed).keys() == mixed.keys()


def test_safetensors_are_read(network, weights, tmp_path):
    save_file(weights, tmp_path / "file.safetensors")

    load_weights(network, tmp_path / "file.safetensors", ARCHITECTURE)

    assert (network.model.fc.weight == 2).all()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no\.pt does not exist"):
        read_checkpoint(tmp_path / "no.pt")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_truncated_file_is_refused(weights, tmp_path, suffix):
    path = tmp_path / f"file{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    path.write_bytes(path.read_bytes()[:-300])

    with pytest.raises(ValueError, match="truncated or not a checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"<html>Quota exceeded</html>", b"PK rubbish"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "file.pt").write_bytes(content)

    with pytest.raises(ValueError, match=r"checkpoint .*file\.pt"):
        read_checkpoint(tmp_path / "file.pt")


@pytest.mark.parametrize("legacy", [True, False])
def test_a_pickle_that_would_execute_code_is_refused_and_not_executed(tmp_path, legacy):
    evil = {"weights": Malicious(tmp_path / "executed")}
    path = tmp_path / "file.pt"
    path.write_bytes(pickle.dumps(evil)) if legacy else torch.save(evil, path)

    with pytest.raises(ValueError, match="would execute code"):
        read_checkpoint(path)

    assert not (tmp_path / "executed").exists()


def test_weights_of_another_architecture_are_refused(network, tmp_path):
    other = create_network(
        "small_resnet8", image_shape=(1, 8, 8), num_classes=10, mean=[0.0], std=[1.0]
    )
    torch.save(other.model.state_dict(), tmp_path / "file.pt")

    with pytest.raises(ValueError, match="not of architecture 'small_resnet6'"):
        load_weights(network, tmp_path / "file.pt", ARCHITECTURE)


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    save_atomically({"epoch": 1}, tmp_path / "file.pt")

    with pytest.raises(Exception, match="pickle"):
        save_atomically({"epoch": lambda: 2}, tmp_path / "file.pt")

    assert read_checkpoint(tmp_path / "file.pt") == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["file.pt"]
