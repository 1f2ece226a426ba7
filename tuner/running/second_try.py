"""What a trial that ran out of memory gets when it is tried once more."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from trainables.optimizing.accumulation import next_number
from tuner.study import ResourcesConfig

Config = Mapping[str, Any]


@dataclass(frozen=True)
class SecondTry:
    """More room, or less to hold.

    Attributes:
        from_epoch: the first epoch that is trained so, from 1.
        micro_batches: parts of a batch; None: as before, but alone on its GPUs.
    """

    from_epoch: int
    micro_batches: int | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self | None:
        """What ``as_json`` made."""
        return None if stored is None else cls(**stored)

    def as_json(self) -> dict[str, Any]:
        """For the ledger."""
        return asdict(self)

    @property
    def alone(self) -> bool:
        """Whether it takes its GPUs whole."""
        return self.micro_batches is None

    def __str__(self) -> str:
        """``memory: tried again with 2 micro-batches from epoch 3``."""
        how = "alone on a GPU" if self.alone else f"with {self.micro_batches} micro-batches"
        return f"memory: tried again {how} from epoch {self.from_epoch}"

    def changed(self, config: Config) -> dict[str, Any]:
        """The trial's config as it is trained now; whoever trains it elsewhere does the same."""
        if self.alone:
            return dict(config)
        accumulation = {"micro_batches": self.micro_batches, "from_epoch": self.from_epoch}
        return {**config, "accumulation": accumulation}


def plan(resources: ResourcesConfig, config: Config, epochs_done: int) -> SecondTry | None:
    """The second try of a trial; None if there is nothing that would help.

    Args:
        resources: a trial of one process that shared a GPU is tried alone; any other one in smaller
            parts, as there may be fewer GPUs than workers.
        config: as it was trained.
        epochs_done: epochs whose reports are stored; training goes on after them.
    """
    if 0 < resources.gpus < 1 and resources.workers == 1:
        return SecondTry(epochs_done + 1)
    cut = config.get("accumulation") or {}
    begun = cut.get("from_epoch", 1) <= epochs_done + 1
    present = cut.get("micro_batches", 1) if begun else 1
    number = next_number(config["data"]["batch_size"], resources.workers, present)
    return None if number is None else SecondTry(epochs_done + 1, number)
