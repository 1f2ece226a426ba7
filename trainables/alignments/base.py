"""What an alignment is: a weighted term that any method can carry."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from trainables.frozen import Frozen
from trainables.methods.base import Batch

Domains = Literal["clean", "adversarial", "both"]


class Alignment(Frozen, ABC):
    """A term that pulls the student towards the teacher: times its weight, added to the loss."""

    symbol: ClassVar[str]
    """The weight's name in the papers and in tables."""

    weight: float = Field(1.0, ge=0, description="factor of the term; at 0 it is not computed")
    domains: Domains = Field(
        "both",
        description="images on which student and teacher are compared; two domains are averaged",
    )

    @property
    def layers(self) -> tuple[int, ...]:
        """Feature maps that the term reads, counted from the end."""
        return ()

    @property
    def needs_input_gradient(self) -> bool:
        """Whether the term differentiates with respect to the images."""
        return False

    def projectors(
        self,
        student_widths: Mapping[int, int],
        teacher_widths: Mapping[int, int],
    ) -> nn.ModuleDict:
        """Maps from student to teacher width by layer; empty where the term needs none."""
        return nn.ModuleDict()

    @abstractmethod
    def loss(self, batch: Batch, projectors: nn.ModuleDict) -> Tensor:
        """The term before its weight, a scalar."""
