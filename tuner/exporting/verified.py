"""What ``tuner verify`` found of a trial, to go with its config."""

from pydantic import Field

from trainables.frozen import Frozen
from tuner.quantities import radius, written
from tuner.verification.measured import CLEAN, Verification

NORMS = {"linf": "Linf", "l2": "L2"}


class Verified(Frozen):
    """A config on the test split, over seeds."""

    seeds: tuple[int, ...] = Field(min_length=1, description="what the metrics are means over")
    images: int = Field(description="of the test split, the first so many")
    attack: str = Field(description="behind the robust accuracy")
    metrics: dict[str, float] = Field(description="clean, then robust, in [0, 1]")
    intervals: dict[str, tuple[float, float]] = Field(description="95 %, of seeds and images")
    masked: tuple[int, ...] = Field(description="seeds whose robustness the gates do not believe")

    def sentence(self) -> str:
        """For people."""
        mean = f", means of {len(self.seeds)} seeds" if len(self.seeds) > 1 else ""
        doubt = f"; masked gradients in seed {', '.join(map(str, self.masked))}"
        clean, robust = (written("accuracy", value) for value in self.metrics.values())
        return (
            f"verified on {self.images:,} test images: {clean} % clean accuracy, {robust} % under "
            f"{self.attack}{mean}{doubt if self.masked else ''}"
        )


def verified_numbers(found: Verification | None, trial: int) -> Verified | None:
    """Clean and robust accuracy at the study's own epsilon; None where nothing was measured."""
    member = found.member(trial) if found else None
    if found is None or member is None:
        return None
    estimates = {
        "test/clean_accuracy": member.estimate(CLEAN, 0.0),
        f"test/{found.attack}_accuracy": member.estimate(found.attack, found.threat.epsilon),
    }
    return Verified(
        seeds=tuple(run.seed for run in member.runs),
        images=found.images,
        attack=f"{found.attack_name}, {NORMS[found.threat.norm]} epsilon "
        f"{radius(found.threat.epsilon)}",
        metrics={name: estimate.mean for name, estimate in estimates.items()},
        intervals={name: estimate.interval for name, estimate in estimates.items()},
        masked=tuple(member.masked),
    )
