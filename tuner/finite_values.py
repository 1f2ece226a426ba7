"""Values of settings that no model describes: they must at least survive being written down."""

import math
from typing import Any


def finite(value: Any) -> Any:
    """The value itself, with everything inside.

    Raises:
        ValueError: for NaN and infinities, of which JSON and a study's own file know nothing.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"numbers must be finite, got {value}")
    if isinstance(value, dict):
        value = {key: finite(inner) for key, inner in value.items()}
    elif isinstance(value, list):
        value = [finite(inner) for inner in value]
    return value
