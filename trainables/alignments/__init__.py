"""Terms that any method can carry. A new one is a file and a line in ``Alignments``."""

from typing import Any

from pydantic import field_validator

from trainables.alignments.base import Alignment as Alignment
from trainables.alignments.base import Pair as Pair
from trainables.alignments.covariance import CovarianceAlignment as CovarianceAlignment
from trainables.alignments.gram import GramAlignment as GramAlignment
from trainables.alignments.igdm import IndirectGradientAlignment as IndirectGradientAlignment
from trainables.alignments.input_gradient import InputGradientAlignment as InputGradientAlignment
from trainables.alignments.logits import LogitAlignment as LogitAlignment
from trainables.frozen import Frozen

ALIGNMENTS: dict[str, type[Alignment]] = {
    "logits": LogitAlignment,
    "covariance": CovarianceAlignment,
    "gram": GramAlignment,
    "input_gradient": InputGradientAlignment,
    "igdm": IndirectGradientAlignment,
}


class Alignments(Frozen):
    """Which terms are on. ``true`` means on with its defaults, ``false`` or nothing means off."""

    logits: LogitAlignment | None = None
    covariance: CovarianceAlignment | None = None
    gram: GramAlignment | None = None
    input_gradient: InputGradientAlignment | None = None
    igdm: IndirectGradientAlignment | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _switch(cls, value: Any) -> Any:
        if value is False:
            return None
        return {} if value is True else value

    def active(self) -> dict[str, Alignment]:
        """The terms with a weight above zero, by name."""
        terms = {name: getattr(self, name) for name in ALIGNMENTS}
        return {name: term for name, term in terms.items() if term is not None and term.weight > 0}
