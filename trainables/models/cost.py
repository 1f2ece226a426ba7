"""What a network costs: parameters, multiply-adds, and time for an image."""

import time
import warnings
from functools import lru_cache
from statistics import median
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from trainables.models.factory import create_network
from trainables.models.network import Network, module_mode

WARM_UP, RUNS = 5, 30
"""Passes before a measurement, and passes measured."""


class Cost(NamedTuple):
    """Size and work of a network; known without weights."""

    parameters: int
    """Trainable numbers."""
    multiply_adds: int
    """Of matrix products, convolutions and attention, in a forward pass of one image."""


@lru_cache(maxsize=1024)
def cost(architecture: str, image_shape: tuple[int, int, int], num_classes: int) -> Cost:
    """Parameters and multiply-adds, counted on PyTorch's meta device: nothing is computed.

    Raises:
        ValueError: see :func:`create_network`.
    """
    with torch.device("meta"):
        network = _untrained(architecture, image_shape, num_classes).eval()
    for module in network.modules():
        if hasattr(module, "fused_attn"):  # its products are not counted in every version of torch
            module.fused_attn = False  # type: ignore[assignment]  # timm's plain attribute
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *image_shape, device="meta"))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Cost(parameters, counter.get_total_flops() // 2)


@lru_cache(maxsize=1024)
def latency_ms(
    architecture: str,
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    device: torch.device,
    threads: int,
) -> float:
    """Median time of a forward pass of one image, in milliseconds.

    Measured once per process, on an untrained network in eval mode; whatever else runs on the
    machine at the time is in the number.

    Args:
        architecture: a name of timm's registry.
        image_shape: of the image, ``(channels, height, width)``.
        num_classes: logits.
        device: where to measure.
        threads: CPU threads of PyTorch meanwhile.
    """
    network = _untrained(architecture, image_shape, num_classes).to(device)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return measured_latency_ms(network, image_shape)
    finally:
        torch.set_num_threads(before)


def measured_latency_ms(network: Network, image_shape: tuple[int, int, int]) -> float:
    """Median time of this network for one image, in milliseconds."""
    image = torch.full((1, *image_shape), 0.5, device=network.mean.device)
    times = []
    with module_mode(network, training=False), torch.inference_mode():
        for _ in range(WARM_UP + RUNS):
            start = time.perf_counter()
            network(image)
            if image.is_cuda:
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    return 1000 * median(times[WARM_UP:])


def _untrained(architecture: str, image_shape: tuple[int, int, int], num_classes: int) -> Network:
    channels = image_shape[0]
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a network that is only counted; building it says them
        return create_network(
            architecture,
            image_shape=image_shape,
            num_classes=num_classes,
            mean=[0.0] * channels,
            std=[1.0] * channels,
        )
