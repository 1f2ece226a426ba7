"""What can be refused before anything is trained, a teacher included."""

import torch

from trainables.config import TrialConfig
from trainables.data import load_data, num_batches
from trainables.data.sizes import check_batch_size
from trainables.hardware import pick_device
from trainables.models import allow_double_backward, require_double_backward
from trainables.networks import build_student


def check_trial(config: TrialConfig) -> None:
    """See that a trial's data and student can be had and fit each other.

    Raises:
        ValueError: with what is wrong and what to do.
    """
    device = pick_device(config.hardware.device)
    check_data(config, device)
    student = build_student(config)
    if any(term.needs_double_backward for term in config.alignments.active().values()):
        allow_double_backward(student)
        shape = load_data(config.data, device).image_shape
        require_double_backward(student, config.student.architecture, shape)


def check_data(config: TrialConfig, device: torch.device) -> None:
    """See that the images are there, and enough for a batch of the trial and of its teachers.

    Raises:
        ValueError: if they are not.
    """
    train = load_data(config.data, device).train
    num_batches(train, config.data)
    for name, teacher in {"teacher": config.teacher, "clean_teacher": config.clean_teacher}.items():
        for one in teacher.each() if teacher else ():
            if not one.from_file:
                field = f"{name}.training.batch_size"
                check_batch_size(field, one.training.batch_size, len(train), config.data)
