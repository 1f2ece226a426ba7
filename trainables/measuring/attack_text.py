"""Attacks as the command line names them: ``pgd20``, ``pgd:loss=margin,steps=50,step=2/255``."""

from typing import Any

from pydantic import ValidationError

from trainables.measuring.autoattack import AutoAttack
from trainables.measuring.autoattack_parts import PARTS
from trainables.measuring.named_attacks import NAMED_ATTACKS, NamedAttack
from trainables.radii import parse_step
from trainables.spelling import unknown

Attack = NamedAttack | AutoAttack

PRESETS: dict[str, Attack] = {
    **NAMED_ATTACKS,
    "pgd": NamedAttack(),
    "autoattack": AutoAttack(),
    **{part: AutoAttack(parts=(part,)) for part in PARTS},
}
"""Every name that :func:`parse_attack` knows."""

SHORT = {"ce": "cross_entropy", "cw": "margin", "queries": "square_queries"}
"""What people write instead."""


def parse_attack(text: str) -> Attack:
    """A preset, or a preset with some parameters replaced after a colon.

    ``pgd20``; ``pgd:loss=margin,steps=50,step=0.25eps,restarts=2``; ``autoattack:queries=500``.

    Raises:
        ValueError: in one sentence, with the nearest names, for what is no attack.
    """
    name, _, changes = text.strip().partition(":")
    if name not in PRESETS:
        raise ValueError(unknown("attack", name, PRESETS))
    preset = PRESETS[name]
    fields = [part.strip() for part in changes.split(",") if part.strip()]
    values = preset.model_dump()
    for field in fields:
        values |= _field(field, preset, text)
    try:
        return type(preset).model_validate(values)
    except ValidationError as error:
        raise ValueError(f"attack {text!r}: {_sentence(error)}") from None


def _field(field: str, preset: Attack, text: str) -> dict[str, Any]:
    key, equals, value = (part.strip() for part in field.partition("="))
    key = SHORT.get(key, key)
    allowed = [known for known in type(preset).model_fields if known not in {"parts", "step_unit"}]
    if not equals or not value:
        raise ValueError(f"attack {text!r}: write key=value after the colon, got {field!r}")
    if key not in allowed:
        raise ValueError(f"attack {text!r}: {unknown('parameter', key, allowed)}")
    if key == "step":
        length, unit = parse_step(value)
        return {"step": length, "step_unit": unit}
    return {key: SHORT.get(value, value)}


def _sentence(error: ValidationError) -> str:
    detail = error.errors(include_url=False)[0]
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    where = "/".join(map(str, detail["loc"]))
    rule = detail["msg"].removeprefix("Input should ").removeprefix("be ")
    return f"{where} must be {rule}, got {detail['input']!r}"
