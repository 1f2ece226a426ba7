"""What can be refused before anything is trained, a teacher included."""

import torch

from trainables.config import TrialConfig
from trainables.data import load_data, num_batches
from trainables.data.sizes import check_batch_size
from trainables.machine.hardware import HardwareConfig, pick_device, resolved
from trainables.models import allow_double_backward, require_double_backward
from trainables.networks import build_student
from trainables.workers.ranks import Ranks


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


def check_ranks(config: TrialConfig, ranks: Ranks) -> None:
    """See that a trial can be spread over so many processes.

    Raises:
        ValueError: if a batch or the validation images cannot be shared among them, or the trial
            is to be compiled.
    """
    if ranks.count == 1:
        return
    check_batch_shares(config, ranks)
    split = load_data(config.data, pick_device(config.hardware.device)).validation
    measured = min(len(split), config.validation.images)
    if measured < 2 * ranks.count:
        raise ValueError(
            f"every worker measures at least 2 validation images, but {measured} are for "
            f"{ranks.count} workers; raise validation.images or data.validation_images, or take "
            "fewer workers"
        )
    check_not_compiled(resolved(config.hardware))


def check_not_compiled(hardware: HardwareConfig) -> None:
    """See that a run over several processes is not to be compiled.

    Raises:
        ValueError: if it is.
    """
    if hardware.compile is True:
        raise ValueError(
            "hardware.compile is true, but BatchNorm over several workers cannot be compiled; set "
            "it to false, or train with one worker"
        )


def check_batch_shares(config: TrialConfig, ranks: Ranks) -> None:
    """See that every process gets an equal part of a batch.

    Raises:
        ValueError: if it does not.
    """
    size, parts = config.data.batch_size, 1
    if config.accumulation is not None:
        parts = config.accumulation.micro_batches
    count = ranks.count * parts
    if size % count:
        nearest = f"{size - size % count} or {size + -size % count}"
        each = f"{ranks.count} workers" + (f" x {parts} micro-batches" if parts > 1 else "")
        raise ValueError(
            "every worker has an equal part of a batch, so data.batch_size must be a multiple of "
            f"{each}, got {size}; make it {nearest if size > count else count}"
        )
