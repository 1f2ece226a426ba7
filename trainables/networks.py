"""Networks for a trial's data, on its device."""

from trainables.config import TrialConfig
from trainables.data import load_data
from trainables.machine.hardware import memory_format, pick_device, resolved
from trainables.models import Network, create_network
from trainables.models.checkpoints import load_weights
from trainables.models.fitting import published_model
from trainables.models.normalization import ChannelStatistics


def build_network(
    config: TrialConfig,
    architecture: str,
    normalize: bool | ChannelStatistics,
    *,
    resolution: int | None = None,
    published: bool = False,
    pretrained: bool = False,
) -> Network:
    """A network for the config's data, on its device.

    Args:
        config: whose data and device.
        architecture: a known name.
        normalize: whether images are standardised by the training images' statistics, or others.
        resolution: pixels of the side to which images are resized inside; None: the data's own.
        published: compute what the architecture's authors do, as their weights need it, whatever
            else is done to fit an architecture to small images.
        pretrained: begin with timm's weights; otherwise untrained.

    Raises:
        ValueError: if the statistics are of another number of channels.
    """
    device = pick_device(config.hardware.device)
    data = load_data(config.data, device)
    channels = data.image_shape[0]
    if isinstance(normalize, ChannelStatistics):
        mean, std = normalize.of_channels(channels)
    else:
        mean = data.mean if normalize else [0.0] * channels
        std = data.std if normalize else [1.0] * channels
    inside = (channels, resolution, resolution) if resolution else data.image_shape
    if published:
        model = published_model(architecture, image_shape=inside, num_classes=data.num_classes)
        network = Network(model, mean, std)
    else:
        network = create_network(
            architecture,
            image_shape=inside,
            num_classes=data.num_classes,
            mean=mean,
            std=std,
            pretrained=pretrained,
        )
    network.resolution = resolution
    layout = memory_format(resolved(config.hardware))
    return network.to(device).to(memory_format=layout)


def build_student(config: TrialConfig) -> Network:
    """The student as it is before the first step: untrained, or with the weights that it begins by.

    Raises:
        ValueError: if the architecture does not work on the data, or the weights are others'.
    """
    student = config.student
    network = build_network(
        config, student.architecture, student.normalize, pretrained=student.pretrained
    )
    if student.checkpoint is not None:
        load_weights(network, student.checkpoint.expanduser(), student.architecture)
    return network


def as_teacher(network: Network | None) -> Network | None:
    """The same network in eval mode, never to be trained."""
    return None if network is None else network.eval().requires_grad_(False)
