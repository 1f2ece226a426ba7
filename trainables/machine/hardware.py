"""Where a trial runs and in which arithmetic; what is left open is chosen by the device."""

import platform
from typing import Any, Literal

import torch
from pydantic import Field

from trainables.frozen import Frozen

Choice = dict[str, Any]

BY_DEVICE: dict[str, Choice] = {
    "cpu": {"precision": "float32", "memory_format": "channels_last", "compile": False},
    "cuda": {"precision": "bfloat16", "memory_format": "channels_last", "compile": False},
}
"""What ``auto`` means; measured in docs/performance.md, which says what no GPU has shown yet."""


class HardwareConfig(Frozen):
    """Where a trial runs; part of the config because the same numbers need the same arithmetic."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU if there is one"
    )
    threads: int = Field(1, ge=1, description="CPU threads of PyTorch; sums depend on it")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="of the networks' passes in training: bfloat16 keeps weights, losses, "
        "statistics and everything that is measured in float32; auto: bfloat16 on a GPU that "
        "computes in it, float32 elsewhere",
    )
    memory_format: Literal["auto", "contiguous", "channels_last"] = Field(
        "auto", description="layout of images and convolutions; auto: channels_last"
    )
    compile: Literal["auto"] | bool = Field(
        "auto",
        description="compile student and teacher with torch.compile; costs a minute at the start "
        "of a process, needs a C++ compiler on CPU; auto: off",
    )


def resolved(config: HardwareConfig) -> HardwareConfig:
    """The same with every ``auto`` replaced by this machine's choice.

    Raises:
        ValueError: if ``cuda`` is asked for and there is none.
    """
    device = pick_device(config.device).type
    chosen = {"device": device, **BY_DEVICE[device]}
    if device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        chosen["precision"] = "float32"
    open_fields = {key: value for key, value in chosen.items() if getattr(config, key) == "auto"}
    return HardwareConfig(**{**config.model_dump(), **open_fields})


def pick_device(name: str) -> torch.device:
    """The device that ``auto``, ``cpu`` or ``cuda`` means on this machine.

    Raises:
        ValueError: if ``cuda`` is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ValueError(
            "hardware.device is 'cuda', but PyTorch sees no GPU; allowed here: 'cpu', 'auto'"
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def machine(config: HardwareConfig) -> dict[str, str | int | bool]:
    """What a run was computed with: the resolved config, the chip and PyTorch's version."""
    chip = torch.cuda.get_device_name() if config.device == "cuda" else platform.machine()
    return {**config.model_dump(), "chip": chip, "torch": str(torch.__version__)}


def in_words(config: HardwareConfig) -> str:
    """What this machine chooses: ``cpu, float32, channels_last, not compiled, 1 thread``."""
    chosen = resolved(config)
    compiled = "compiled" if chosen.compile else "not compiled"
    threads = f"{chosen.threads} thread" + "s" * (chosen.threads > 1)
    return ", ".join([chosen.device, chosen.precision, chosen.memory_format, compiled, threads])


def memory_format(config: HardwareConfig) -> torch.memory_format:
    """PyTorch's name for a resolved config's layout."""
    formats = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    return formats[config.memory_format]


def compute_type(config: HardwareConfig) -> torch.dtype | None:
    """What a resolved config's passes are autocast to; None: nothing is cast."""
    return torch.bfloat16 if config.precision == "bfloat16" else None
