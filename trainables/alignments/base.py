"""What an alignment is: a weighted term that any method can carry."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.frozen import Frozen
from trainables.methods.batch import Batch
from trainables.models.network import Network, module_mode
from trainables.models.taps import Layer, Tap, layer_of

Domains = Literal["clean", "adversarial", "both"]


class Pair(NamedTuple):
    """Student and teacher before training, for terms that build modules from their shapes."""

    student: Network
    teacher: Network
    images: Tensor
    """Some training images ``(count, channels, height, width)``."""

    def features(self, tap: Tap) -> tuple[Tensor, Tensor]:
        """Feature maps ``(count, positions, channels)`` of the images, in eval mode, of both."""
        with torch.no_grad():
            of_student, of_teacher = (
                self._of(network, layer_of(tap, teacher=teacher))
                for network, teacher in ((self.student, False), (self.teacher, True))
            )
        return of_student, of_teacher

    def _of(self, network: Network, layer: Layer) -> Tensor:
        with module_mode(network, training=False):
            return network.outputs(self.images, (layer,)).features[layer]


class Alignment(Frozen, ABC):
    """A term that pulls the student towards the teacher: times its weight, added to the loss."""

    symbol: ClassVar[str]
    """The weight's name in the papers and in tables."""

    needs_attack: ClassVar[bool] = False
    """Whether the term means nothing without adversarial images."""

    weight: float = Field(1.0, ge=0, description="factor of the term; at 0 it is not computed")
    domains: Domains = Field(
        "both",
        description="images on which student and teacher are compared; two domains are averaged",
    )

    @property
    def layers(self) -> tuple[Tap, ...]:
        """Feature maps that the term reads, counted from the end or by name, or pairs of them."""
        return ()

    @property
    def needs_input_gradient(self) -> bool:
        """Whether the term differentiates with respect to the images."""
        return False

    @property
    def needs_double_backward(self) -> bool:
        """Whether SGD differentiates an input gradient of the student."""
        return False

    def modules(self, pair: Pair) -> nn.ModuleDict:
        """What the term trains or remembers; empty where it needs nothing.

        Raises:
            ValueError: if the term does not fit the two networks.
        """
        return nn.ModuleDict()

    @abstractmethod
    def loss(self, batch: Batch, modules: nn.ModuleDict) -> Tensor:
        """The term before its weight, a scalar."""
