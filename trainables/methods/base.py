"""What a method is: the objective of the attack (``inner``) and the loss of SGD (``outer``)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from trainables.attacks import Objective
from trainables.frozen import Frozen
from trainables.methods.batch import Batch, View
from trainables.models.network import Network

Conventions = Mapping[str, Any]


class Method(Frozen, ABC):
    """One paper's training objective.

    Settings are fields; what changes during training lies in ``Batch.state``.
    """

    conventions: ClassVar[Conventions] = {}
    """What the authors set in the rest of a trial's config (start and BatchNorm mode of the attack,
    alignments that belong to the method); used where the user says nothing."""

    attacks: ClassVar[bool] = True
    """Whether ``inner`` names an objective at all."""

    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the target spread over all classes, in every cross-entropy of the "
        "loss; without effect where a method uses no labels",
    )

    @property
    @abstractmethod
    def needs_teacher(self) -> bool:
        """Whether ``inner`` or ``outer`` asks the (robust) teacher anything."""

    @property
    def needs_clean_teacher(self) -> bool:
        """Whether the loss asks a second teacher, trained without attack."""
        return False

    def initial_state(self) -> dict[str, Tensor]:
        """Scalars that ``outer`` carries from step to step through ``Batch.state``."""
        return {}

    @abstractmethod
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective | None:
        """What the attack maximises, one value per image; None where the method does not attack.

        Called with the student in the mode of the attack, so ``clean.student``, which is the pass
        of the loss, must not be asked here.
        """

    @abstractmethod
    def outer(self, batch: Batch) -> Tensor:
        """What SGD minimises before the alignment terms, a scalar."""

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy in nats, with the method's label smoothing."""
        return F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
