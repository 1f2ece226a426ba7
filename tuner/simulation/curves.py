"""Recorded learning curves, and what they say about configs that were not recorded.

A regression forest over what differs between the recorded configs predicts the mean curve of a
config; noise is that of a recorded run nearby, so epochs and metrics vary together as they did.
"""

import gzip
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.config import TrialConfig
from tuner.differences import describe_differences, difference, flatten, merged
from tuner.records import Metrics

Array = NDArray[np.float64]

SECONDS = "seconds"
TREES = 100
SAME_TASK = ("data", "threat", "epochs")
"""Parts of a config in which curves must agree with a study to say anything about it."""


@dataclass(frozen=True)
class Recording:
    """Configs that were trained, each with some seeds.

    Attributes:
        about: where the curves come from: command, hardware, versions.
        base: what the configs have in common, as JSON types.
        configs: whole configs; their seed means nothing.
        curves: of each config ``(seeds, epochs, metrics)``.
        metrics: names of the last axis; ``seconds`` of processor time per epoch is one.
    """

    about: Mapping[str, Any]
    base: Mapping[str, Any]
    configs: Sequence[Mapping[str, Any]]
    curves: Sequence[Array]
    metrics: tuple[str, ...]

    def write(self, path: Path) -> None:
        """A gzipped line of JSON per config, after a first line about all of them."""
        head = {"about": self.about, "base": self.base, "metrics": self.metrics}
        lines = [head]
        for config, curves in zip(self.configs, self.curves, strict=True):
            rounded = np.round(curves, 4).tolist()
            lines.append({"overrides": difference(self.base, config), "curves": rounded})
        text = "\n".join(json.dumps(line, separators=(",", ":")) for line in lines)
        path.write_bytes(gzip.compress(text.encode(), mtime=0))

    @classmethod
    def read(cls, path: Path) -> "Recording":
        """What ``write`` wrote."""
        head, *lines = map(json.loads, gzip.decompress(path.read_bytes()).decode().splitlines())
        return cls(
            head["about"],
            head["base"],
            [merged(head["base"], line["overrides"]) for line in lines],
            [np.array(line["curves"]) for line in lines],
            tuple(head["metrics"]),
        )


def shipped_recording() -> Recording:
    """What comes with the package: digits, three teachers, all methods."""
    return Recording.read(Path(str(resources.files("tuner") / "recordings" / "digits.jsonl.gz")))


class Curves:
    """Learning curves of any config near the recorded ones."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._encoder = Encoder(recording.configs)
        self._features = self._encoder.encode(recording.configs)
        means = np.stack([curves.mean(axis=0) for curves in recording.curves])
        self._shape = means.shape[1:]
        from sklearn.ensemble import ExtraTreesRegressor  # heavy: not to run a study

        self._forest = ExtraTreesRegressor(TREES, random_state=0, min_samples_leaf=1)
        self._forest.fit(self._features, means.reshape(len(means), -1))
        self._leaves = self._forest.apply(self._features)
        self._cache: dict[str, tuple[Array, Array]] = {}

    @property
    def epochs(self) -> int:
        """Length of every curve."""
        return int(self._shape[0])

    def require(self, config: TrialConfig) -> None:
        """See that the curves are about the study's task.

        Raises:
            ValueError: with the difference, if they are not.
        """
        now = config.model_dump(mode="json")
        differences = describe_differences(
            {key: self.recording.base[key] for key in SAME_TASK},
            {key: now[key] for key in SAME_TASK},
        )
        if differences:
            raise ValueError(
                f"the recorded curves are of another task: {differences}; record your own with a "
                "short study and name its directory with --curves"
            )

    def mean(self, config: Mapping[str, Any]) -> list[Metrics]:
        """Expected reports after every epoch; accuracies in [0, 1], ``seconds`` per epoch."""
        return self._reports(self._predict(config)[0])

    def run(self, config: Mapping[str, Any], seed: int) -> list[Metrics]:
        """Reports of one training run: the mean and the noise of a recorded run nearby."""
        mean, near = self._predict(config)
        digest = hashlib.sha256(f"{seed} {self._key(config)}".encode()).digest()
        generator = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        curves = self.recording.curves[generator.choice(len(near), p=near)]
        num_seeds = len(curves)
        noise = curves[generator.integers(num_seeds)] - curves.mean(axis=0)
        unbiased = math.sqrt(num_seeds / (num_seeds - 1)) if num_seeds > 1 else 0.0
        return self._reports(mean + unbiased * noise)

    def _key(self, config: Mapping[str, Any]) -> str:
        return json.dumps({**config, "seed": 0}, sort_keys=True)

    def _predict(self, config: Mapping[str, Any]) -> tuple[Array, Array]:
        """Mean curve, and how near each recorded config is (shares of common leaves, sum 1)."""
        key = self._key(config)
        if key not in self._cache:
            row = self._encoder.encode([config])
            mean = self._forest.predict(row).reshape(self._shape)
            shared = (self._forest.apply(row) == self._leaves).mean(axis=1)
            self._cache[key] = mean, shared / shared.sum()
        return self._cache[key]

    def _reports(self, curve: Array) -> list[Metrics]:
        return [self._report(epoch, row) for epoch, row in enumerate(curve, start=1)]

    def _report(self, epoch: int, row: Array) -> Metrics:
        metrics = dict(zip(self.recording.metrics, map(float, row), strict=True))
        for name, value in metrics.items():
            if name.endswith("accuracy"):
                metrics[name] = min(1.0, max(0.0, value))
        metrics[SECONDS] = max(1e-3, metrics[SECONDS])
        return {"epoch": epoch, **metrics}


class Encoder:
    """Configs as rows of numbers: everything in which the given ones differ.

    A number is taken as it is, or as its logarithm where all are above 0; what is no number has a
    column per value; what a config lacks is 0 in both.
    """

    def __init__(self, configs: Iterable[Mapping[str, Any]]) -> None:
        values: dict[str, list[Any]] = {}
        flat = [flatten({**config, "seed": 0}) for config in configs]
        for path in sorted({path for config in flat for path in config}):
            found = [config[path] for config in flat if path in config]
            if len({str(value) for value in found}) > 1 or len(found) < len(flat):
                values[path] = found
        self._columns = [
            column for path, found in values.items() for column in _columns(path, found)
        ]

    def encode(self, configs: Iterable[Mapping[str, Any]]) -> Array:
        """``(configs, columns)``."""
        rows = [[column.of(flatten(config)) for column in self._columns] for config in configs]
        return np.array(rows, dtype=float)


@dataclass(frozen=True)
class _Column:
    path: str
    value: str | None = None
    log: bool = False

    def of(self, flat: Mapping[str, Any]) -> float:
        if self.path not in flat:
            return 0.0
        found = flat[self.path]
        if self.value is not None:
            return float(str(found) == self.value)
        if not _is_number(found):
            return 0.0
        return math.log10(max(found, 1e-6)) + 7 if self.log else float(found)


def _columns(path: str, found: Sequence[Any]) -> list[_Column]:
    numbers = [value for value in found if _is_number(value)]
    others = sorted({str(value) for value in found if not _is_number(value)})
    columns = [_Column(path, value=other) for other in others]
    if len(set(numbers)) > 1:
        columns.append(_Column(path, log=min(numbers) > 0))
    return columns


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
