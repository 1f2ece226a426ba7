"""Seeing that student and teacher go together, before the teacher is trained."""

import warnings

import torch

from trainables.config import TrialConfig
from trainables.data import load_data
from trainables.machine.hardware import pick_device
from trainables.models import Network, allow_double_backward, create_network
from trainables.models.fitting import published_model
from trainables.models.taps import Layer, in_order, layer_of
from trainables.networks import build_student
from trainables.teachers.sources import settle

Shape = tuple[int, int, int]


def check_pair(config: TrialConfig) -> None:
    """See that the student's weights fit, and that both networks have the layers that are tapped.

    Raises:
        ValueError: with what is wrong and what to do.
    """
    student = config.student
    if student.checkpoint is not None:
        build_student(config)
    taps = in_order({tap for term in config.alignments.active().values() for tap in term.layers})
    if not taps or config.teacher is None or config.teacher.members:
        return
    source = settle(config)
    seen = _image_shape(config)
    _tap(student.architecture, seen, [layer_of(tap, teacher=False) for tap in taps])
    side = source.resolution
    inside = (seen[0], side, side) if side else seen
    layers = [layer_of(tap, teacher=True) for tap in taps]
    _tap(source.architecture, inside, layers, published=source.published)


def _image_shape(config: TrialConfig) -> Shape:
    return load_data(config.data, pick_device(config.hardware.device)).image_shape


def _tap(architecture: str, shape: Shape, layers: list[Layer], *, published: bool = False) -> None:
    """Tap an untrained network on PyTorch's meta device: nothing is computed."""
    mean, std, num_classes = [0.0] * shape[0], [1.0] * shape[0], 10
    with torch.random.fork_rng(devices=[]), torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a network that is only tried; building it says them
        if published:
            model = published_model(architecture, image_shape=shape, num_classes=num_classes)
            network = Network(model, mean, std)
        else:
            network = create_network(
                architecture, image_shape=shape, num_classes=num_classes, mean=mean, std=std
            )
        allow_double_backward(network)
        network.feature_widths(shape, layers)
