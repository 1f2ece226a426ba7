"""How large a student may be: what is larger leaves the search space before a study starts."""

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from trainables.frozen import Frozen

SUFFIXES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}

WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?(?:[eE]\+?\d+)?)\s*([kKMG]?)\s*")


def parse_count(value: Any) -> Any:
    """A whole number from ``1000000``, ``500k``, ``1M`` or ``2.5G``.

    Raises:
        ValueError: if a text is written in another way, or for true and false.
    """
    if isinstance(value, bool):
        raise ValueError(f"must be a count such as 1000000, 500k, 1M or 2.5G, got {value}")
    if not isinstance(value, str):
        return value
    match = WRITTEN.fullmatch(value)
    if match is None or math.isinf(float(match[1])):
        raise ValueError(
            f"must be a count such as 1000000, 500k, 1M or 2.5G (k, M, G: 10^3, 10^6, 10^9), "
            f"got {value!r}"
        )
    return round(float(match[1]) * SUFFIXES[match[2]])


Count = Annotated[
    int,
    Field(ge=1),
    BeforeValidator(parse_count),
    WithJsonSchema({"type": ["integer", "string"], "examples": [1000000, "500k", "1M", "2.5G"]}),
]


class LimitsConfig(Frozen):
    """Bounds on the students of the search space, known before anything is trained."""

    max_parameters: Count | None = Field(
        None, description="trainable numbers, such as 500k or 1M; default: no bound"
    )
    max_multiply_adds: Count | None = Field(
        None, description="of a forward pass of one image, such as 50M or 1G; default: no bound"
    )
    max_latency_ms: float | None = Field(
        None,
        gt=0,
        description="milliseconds for a forward pass of one image on the machine that starts the "
        "study, with base.hardware's device and threads; default: no bound",
    )

    @property
    def counts(self) -> dict[str, int]:
        """The bounds on what is counted, by the name of what they bound."""
        bounds = {"parameters": self.max_parameters, "multiply_adds": self.max_multiply_adds}
        return {what: bound for what, bound in bounds.items() if bound is not None}
