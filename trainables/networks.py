"""Networks for a trial's data, on its device."""

from trainables.config import TrialConfig
from trainables.data import load_data
from trainables.hardware import memory_format, pick_device, resolved
from trainables.models import Network, create_network


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
    layout = memory_format(resolved(config.hardware))
    return network.to(device).to(memory_format=layout)
