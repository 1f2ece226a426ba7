"""Training one student in this process."""

from collections.abc import Iterator
from pathlib import Path

from trainables.checking import check_trial
from trainables.config import TrialConfig
from trainables.distillation import Distillation, Metrics
from trainables.models.checkpoints import read_checkpoint, save_atomically
from trainables.teachers import check_pair, load_teachers


def train(config: TrialConfig, checkpoint: Path, teachers: Path) -> Iterator[tuple[int, Metrics]]:
    """Train as the config says; yields every epoch's number and metrics.

    Goes on from ``checkpoint`` if it is there, and writes it after every epoch, once the epoch's
    metrics have been taken: whoever keeps them misses none, whenever this is killed.

    Raises:
        ValueError: if data, student or teacher cannot be had, or the checkpoint belongs to another
            config.
    """
    check_trial(config)  # a teacher may take hours
    check_pair(config)
    distillation = Distillation.build(config, *load_teachers(config, teachers))
    if checkpoint.is_file():
        distillation.load_state_dict(read_checkpoint(checkpoint))
        if distillation.finished:
            yield distillation.epoch, distillation.validate()
    while not distillation.finished:
        metrics = {**distillation.train_epoch(), **distillation.validate()}
        yield distillation.epoch, metrics
        save_atomically(distillation.state_dict(), checkpoint)
