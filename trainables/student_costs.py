"""What a trial says its student costs."""

import torch

from trainables.config import TrialConfig
from trainables.data import Data
from trainables.models import Network, cost, latency_ms


def student_costs(
    config: TrialConfig, student: Network, data: Data, device: torch.device
) -> dict[str, float]:
    """Parameters, multiply-adds for one image, and, where it is asked for, milliseconds for one."""
    what = config.student.architecture, data.image_shape, data.num_classes
    costs = {
        "student/parameters": float(sum(p.numel() for p in student.parameters())),
        "student/multiply_adds": float(cost(*what).multiply_adds),
    }
    if config.validation.latency:
        costs["student/latency_ms"] = latency_ms(
            *what, device=device, threads=config.hardware.threads
        )
    return costs
