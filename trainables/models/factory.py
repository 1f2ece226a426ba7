"""Building networks by the names of timm's registry."""

from collections.abc import Sequence

import timm

# importing them registers their names
from trainables.models import cifar_resnet, mobilenet, preact_resnet, small, vit  # noqa: F401
from trainables.models.adaptation import fit
from trainables.models.network import Network
from trainables.models.pretrained import pretrained_model
from trainables.models.strides import relax
from trainables.models.wide_resnets_by_name import register_by_pattern
from trainables.spelling import unknown


def known_architectures() -> list[str]:
    """Every name that a listing shows, sorted; WideResNets of other depths and widths work, too."""
    return sorted(timm.list_models())


def check_architecture(name: str) -> str:
    """Return ``name`` if timm's registry knows it, or it is a WideResNet's.

    Raises:
        ValueError: with the nearest known names otherwise.
    """
    register_by_pattern(name)
    if not timm.is_model(name):
        raise ValueError(unknown("architecture", name, known_architectures()))
    return name


def create_network(
    architecture: str,
    *,
    image_shape: tuple[int, int, int],
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    pretrained: bool = False,
) -> Network:
    """A network for images ``(channels, height, width)``, fitted to small ones.

    See :mod:`trainables.models.adaptation`.

    Args:
        architecture: a name of timm's registry, or of a WideResNet.
        image_shape: of the images.
        num_classes: logits.
        mean: of the images, by channel; subtracted first.
        std: of the images, by channel; divided by then.
        pretrained: begin with timm's weights, which timm downloads; else the network is untrained.

    Raises:
        ValueError: for an unknown architecture, for one that does not work on such images, and for
            weights that timm does not have or cannot get.
    """
    check_architecture(architecture)
    fitted = fit(architecture, image_shape)
    settings = {"in_chans": image_shape[0], "num_classes": num_classes, **fitted.settings}
    create = pretrained_model if pretrained else timm.create_model
    model = create(architecture, **settings)
    relax(model, fitted.relaxations)
    return Network(model, mean, std)
