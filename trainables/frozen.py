"""The base of everything that a user can write down: immutable, validated, nothing unknown."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable settings object; unknown keys, NaN and infinities are refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        validate_default=True,
        protected_namespaces=(),
    )


def fingerprint(settings: Frozen | Mapping[str, Any]) -> str:
    """First 16 hex digits of the SHA-256 of the settings, or of their dump, as canonical JSON."""
    content = settings.model_dump(mode="json") if isinstance(settings, Frozen) else settings
    canonical = json.dumps(content, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
