"""Training and measuring one student in this process."""

from collections.abc import Iterator
from pathlib import Path

from trainables.attacks import cross_entropy_objective, margin_objective
from trainables.config import TrialConfig
from trainables.data import load_data
from trainables.distillation import (
    VALIDATION_SEED,
    Distillation,
    Metrics,
    build_network,
    pick_device,
)
from trainables.evaluation import clean_accuracy, robust_accuracy
from trainables.models.checkpoints import read_checkpoint, save_atomically
from trainables.teachers import load_teachers


def train(config: TrialConfig, checkpoint: Path, teachers: Path) -> Iterator[tuple[int, Metrics]]:
    """Train as the config says; yields every epoch's number and metrics.

    Goes on from ``checkpoint`` if it is there, and writes it after every epoch.

    Raises:
        ValueError: if the checkpoint belongs to another config.
    """
    distillation = Distillation.build(config, *load_teachers(config, teachers))
    if checkpoint.is_file():
        distillation.load_state_dict(read_checkpoint(checkpoint))
        if distillation.finished:
            yield distillation.epoch, distillation.validate()
    while not distillation.finished:
        metrics = {**distillation.train_epoch(), **distillation.validate()}
        save_atomically(distillation.state_dict(), checkpoint)
        yield distillation.epoch, metrics


def evaluate(checkpoint: Path, split: str) -> tuple[TrialConfig, Metrics]:
    """Measure a student on its ``validation`` or ``test`` split under its own threat model.

    Returns:
        Its config and ``<split>/clean_accuracy``, ``…/margin_pgd<steps>_accuracy``,
        ``…/pgd<steps>_accuracy`` in [0, 1] and ``…/count``, the number of images.

    Raises:
        ValueError: if the file is no checkpoint of a student that was trained here.
    """
    state = read_checkpoint(checkpoint)
    if "config" not in state or "student" not in state:
        raise ValueError(f"checkpoint {checkpoint} holds no student and its config; train it here")
    config = TrialConfig.model_validate(state["config"])
    student = build_network(config, config.student.architecture, config.student.normalize)
    student.load_state_dict(state.get("result", state["student"]))
    data = load_data(config.data, pick_device(config.hardware.device))
    images = getattr(data, split)
    attack, steps = config.validation.attack, config.validation.attack.steps
    accuracies = {
        f"{split}/{name}pgd{steps}_accuracy": robust_accuracy(
            student, images, objective, config.threat, attack, seed=VALIDATION_SEED
        )
        for name, objective in (("margin_", margin_objective), ("", cross_entropy_objective))
    }
    clean = clean_accuracy(student, images)
    return config, {f"{split}/clean_accuracy": clean, **accuracies, f"{split}/count": len(images)}
