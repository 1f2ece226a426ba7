"""Networks for a trial's data, on its device."""

import torch

from trainables.config import TrialConfig
from trainables.data import load_data
from trainables.models import Network, create_network


def pick_device(name: str) -> torch.device:
    """The device that ``auto``, ``cpu`` or ``cuda`` means on this machine.

    Raises:
        ValueError: if ``cuda`` is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ValueError(
            "hardware.device is 'cuda', but PyTorch sees no GPU; allowed here: 'cpu', 'auto'"
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def build_network(
    config: TrialConfig, architecture: str, normalize: bool, *, pretrained: bool = False
) -> Network:
    """A network for the config's data, on its device; untrained, or with timm's weights."""
    device = pick_device(config.hardware.device)
    data = load_data(config.data, device)
    channels = data.image_shape[0]
    network = create_network(
        architecture,
        image_shape=data.image_shape,
        num_classes=data.num_classes,
        mean=data.mean if normalize else [0.0] * channels,
        std=data.std if normalize else [1.0] * channels,
        pretrained=pretrained,
    )
    return network.to(device)
