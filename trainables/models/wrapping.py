"""Taking the weights out of what projects put around them."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from trainables.models.normalization import ChannelStatistics

Weights = dict[str, Tensor]

CONTAINERS = ("result", "model_state_dict", "state_dict", "net", "model", "student")
"""Keys under which checkpoints keep the weights; the first one present is taken."""

PREFIXES = ("module.", "module.0.", "0.", "1.", "_orig_mod.", "model.")
"""What wrappers put before every key; stripped only if all keys carry it."""

ATTACKER = "attacker."
"""``robustness`` stores its network a second time, inside its attack."""

MEANS = re.compile(r"(mu|mean|(0|norm|normalize|normalizer|normalization)\.(new_)?mean)")
DEVIATIONS = re.compile(r"(sigma|std|(0|norm|normalize|normalizer|normalization)\.(new_)?std)")
"""What wrappers call the statistics that images are standardised by."""


class Unwrapped(NamedTuple):
    """The bare weights of a network, and what its wrappers say of the images."""

    weights: Weights
    normalization: ChannelStatistics | None
    """Of images in [0, 1]; None if the file brings none."""
    container: str
    """The key under which the weights were, or an empty string."""


def unwrap(checkpoint: Mapping[str, Any]) -> Unwrapped:
    """The state dict inside a checkpoint, without container, prefixes, normalisation and attack."""
    container = next((key for key in CONTAINERS if _holds_weights(checkpoint.get(key))), "")
    inner = checkpoint[container] if container else checkpoint
    named = ((key, value) for key, value in inner.items() if isinstance(key, str))
    weights = {key: value for key, value in named if isinstance(value, Tensor)}
    normalization = None
    while True:
        weights = _without_attacker(weights)
        weights, found = _split_normalization(weights)
        normalization = found or normalization
        prefix = next(
            (p for p in PREFIXES if weights and all(k.startswith(p) for k in weights)), ""
        )
        if not prefix:
            return Unwrapped(weights, normalization, container)
        weights = {key.removeprefix(prefix): value for key, value in weights.items()}


def _holds_weights(value: object) -> bool:
    return isinstance(value, Mapping) and any(isinstance(v, Tensor) for v in value.values())


def _without_attacker(weights: Weights) -> Weights:
    kept = {key: value for key, value in weights.items() if not key.startswith(ATTACKER)}
    return kept or weights


def _split_normalization(weights: Weights) -> tuple[Weights, ChannelStatistics | None]:
    mean = next((key for key in weights if MEANS.fullmatch(key)), None)
    std = next((key for key in weights if DEVIATIONS.fullmatch(key)), None)
    if mean is None or std is None:
        return weights, None
    statistics = ChannelStatistics(
        mean=tuple(weights[mean].flatten().tolist()), std=tuple(weights[std].flatten().tolist())
    )
    return {key: value for key, value in weights.items() if key not in {mean, std}}, statistics
