"""Standard training: cross-entropy on clean images."""

from typing import ClassVar, Literal

from torch import Tensor
from typing_extensions import override

from trainables.attacks import Objective
from trainables.methods.base import Method
from trainables.methods.batch import Batch, View
from trainables.models.network import Network


class StandardTraining(Method):
    r""":math:`\min_\theta E\,CE(f(x), y)`, without attack or teacher.

    With the alignment ``input_gradient`` it is KDIGA without soft labels.
    """

    name: Literal["standard"] = "standard"
    attacks: ClassVar[bool] = False

    @property
    def needs_teacher(self) -> bool:
        """Never."""
        return False

    @override
    def inner(
        self, student: Network, teacher: Network | None, clean: View, labels: Tensor
    ) -> Objective | None:
        """No attack."""
        return None

    def outer(self, batch: Batch) -> Tensor:
        """Mean cross-entropy on the clean images, in nats."""
        return self.cross_entropy(batch.clean.student.logits, batch.labels)
