"""The base of everything that a user can write down: immutable, validated, nothing unknown."""

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
