"""A study in Python: what ``tuner run``, ``front`` and ``export`` do, for notebooks and scripts."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.config import TrialConfig
from tuner.analysis.importance import Evaluator, importances
from tuner.analysis.results import Results
from tuner.api.console import console_for
from tuner.api.frames import curves_frame, front_frame, hypervolume_frame, trials_frame
from tuner.api.loading import load_config
from tuner.exporting.config_files import refuse_to_replace, write_config
from tuner.exporting.doing import slug
from tuner.quantities import measured
from tuner.records import TrialRecord, TrialState
from tuner.showing import results_of
from tuner.storage.directory import refuse_another
from tuner.study import StudyConfig
from tuner.study_names import directory_at, find_directory
from tuner.verification.measured import Verification, load_verification
from tuner.verification.picks import Numbers, Pick, choose

if TYPE_CHECKING:
    import pandas as pd

    from tuner.api.figures import Backend, Figure, Kind
    from tuner.api.radii import Radii


class Study:
    """A study, its directory, and what it has come to.

    Frames, figures and picks read the study's directory anew each time, so they can be asked for
    while the study runs, also in another process. Numbers in frames and figures are of the
    validation split; picks use those of ``tuner verify`` where there are any.

    Args:
        config: what is asked for.
        directory: where it lives; default: ``runs/<name>``.
    """

    def __init__(self, config: StudyConfig, directory: str | Path | None = None) -> None:
        self.config = config
        self._place = directory_at(directory or Path("runs") / config.name)

    @classmethod
    def load(
        cls,
        source: str | Path | Mapping[str, Any] | StudyConfig = "digits",
        *,
        directory: str | Path | None = None,
        **changes: Any,
    ) -> "Study":
        """A study to run, with some of its fields changed; nothing is written yet.

        Args:
            source: the name of a shipped study, a YAML file, its content, or a ``StudyConfig``.
            directory: where the study lives; default: ``runs/<name>``.
            **changes: fields of the study file, such as ``trials=8`` or ``base={"epochs": 5}``;
                dictionaries are merged key by key.

        Raises:
            ValueError: in one sentence, for an unknown study, field or value.
        """
        return cls(load_config(source, changes), directory)

    @classmethod
    def open(cls, directory: str | Path) -> "Study":
        """The study that lives in a directory, running, finished or left behind.

        Args:
            directory: as for any command: it, or the study's name in ``runs``, or how that begins.

        Raises:
            ValueError: if none does, or several names begin so.
        """
        place = find_directory(directory)
        return cls(place.study(), place.path)

    @property
    def directory(self) -> Path:
        """Where everything of the study lies."""
        return self._place.path

    def run(
        self, trials: int | None = None, *, address: str | None = None, quiet: bool = False
    ) -> "Study":
        """Run the study to its end, or go on from wherever it stopped.

        Args:
            trials: how many in all, from now on; default: what the study says.
            address: a Ray cluster that this machine is part of, ``auto`` or ``HOST:6379``;
                default: a Ray of our own on this machine.
            quiet: print nothing; else a line per trial that ends.

        Returns:
            The study itself.

        Raises:
            ValueError: in one sentence, if study and directory do not fit, or a teacher is no good.
            ConnectionError: if the tracking server does not answer.
            StudyInterruptedError: if it was interrupted once; the same call goes on.
        """
        from tuner.running.session import Session

        if trials is not None:
            self.config = load_config(self.config, {"trials": trials})
        Session(self.config, self._place, console_for(quiet=quiet), address).run()
        return self

    def verify(
        self,
        seeds: int = 3,
        attack: str = "autoattack",
        epsilon: "Radii | None" = None,
        *,
        neighbours: int = 5,
        images: int | None = None,
        gates: bool = True,
        seed: int = 0,
        address: str | None = None,
        quiet: bool = False,
    ) -> "pd.DataFrame":
        """Measure the front on the test split for :attr:`verified`; goes on where it was stopped.

        Args:
            seeds: per config; missing ones are trained.
            attack: what robust accuracy is, as of ``tuner verify``.
            epsilon: radii beside the study's own; default: half of it, and 1.5 times it.
            neighbours: trials measured, too, that the front beats only by chance.
            images: the first so many test images; default: all.
            gates: whether to look for masked gradients.
            seed: of every random start.
            address: as of ``run``.
            quiet: as of ``run``.

        Raises:
            ValueError: if there is nothing to verify, or another process is at it.
        """
        from tuner.api.verification import asked, verified_frame, verify

        self.results.need_complete()
        what = asked(
            seeds, attack, epsilon, neighbours=neighbours, images=images, gates=gates, seed=seed
        )
        return verified_frame(verify(self._place, what, console_for(quiet=quiet), address))

    @property
    def results(self) -> Results:
        """Everything that is known of the study now: records, front, knee, hypervolume, gains.

        Raises:
            ValueError: if the study has not begun, or another one lives in its directory.
        """
        if not self._place.config.is_file():
            raise ValueError(
                f"study {self.config.name!r} has not begun in {self.directory}; run it first: "
                "study.run()"
            )
        refuse_another(self._place.study(), self.config, self.directory)
        return results_of(self._place)

    @property
    def trials(self) -> "pd.DataFrame":
        """A row per trial: what it was, its parameters, and its last metrics."""
        return trials_frame(self.results)

    @property
    def curves(self) -> "pd.DataFrame":
        """A row per trial and epoch: every metric that was reported."""
        return curves_frame(self.results)

    @property
    def front(self) -> "pd.DataFrame":
        """A row per trial of the front: objectives with intervals, seeds, pair and weights."""
        return front_frame(self.results)

    @property
    def baselines(self) -> "pd.DataFrame":
        """The complete baselines, in the form of the front."""
        results = self.results
        return front_frame(results, results.baselines)

    @property
    def verified(self) -> "pd.DataFrame":
        """A row per config that ``verify`` measured on the test split; ValueError before it."""
        from tuner.api.verification import need_verification, verified_frame

        return verified_frame(need_verification(self.directory))

    @property
    def hypervolume(self) -> "pd.DataFrame":
        """Hypervolume after each complete trial."""
        return hypervolume_frame(self.results)

    def importances(self, evaluator: Evaluator = "fanova", *, seed: int = 0) -> "pd.DataFrame":
        """Share of each parameter (rows) in the spread of each objective (columns).

        Raises:
            ValueError: with too few complete trials to say anything.
        """
        import pandas as pd

        found = pd.DataFrame(importances(self.results, evaluator, seed=seed))
        return found.rename_axis("parameter").sort_values(list(found.columns), ascending=False)

    def figure(
        self, kind: "Kind" = "front", *, backend: "Backend" = "plotly", metric: str | None = None
    ) -> "Figure":
        """A picture of the study, to show, change or save.

        Args:
            kind: ``front``, ``curves``, ``parallel_coordinates``, ``importances`` or
                ``hypervolume``.
            backend: ``plotly`` or ``matplotlib``: what kind of figure object comes back.
            metric: what ``curves`` show; default: the last objective.

        Raises:
            ValueError: for another kind, backend or metric, or where nothing can be drawn yet.
        """
        from tuner.api.figures import draw

        return draw(self.results, kind, backend, metric)

    def choice(self, which: str = "knee", *, on: Numbers | None = None) -> Pick:
        """One trial, the numbers that it was picked on, and a sentence that says them.

        Args:
            which: ``knee``, ``max-clean``, ``max-robust``, ``robust>=0.4`` or ``trial:7``.
            on: ``validation`` or ``verified`` numbers; default, as of ``tuner export``: verified
                ones, where ``tuner verify`` has made any.

        Raises:
            ValueError: if no trial fulfils the wish on these numbers.
        """
        return choose(self.results, which, self._verification(on), on)

    def _verification(self, on: Numbers | None) -> Verification | None:
        return None if on == "validation" else load_verification(self.directory)

    def pick(self, which: str = "knee", *, on: Numbers | None = None) -> TrialRecord:
        """The trial of :meth:`choice`, as the study has it: its values are of validation.

        Raises:
            ValueError: as ``choice``.
        """
        return self.choice(which, on=on).record

    def trial_config(self, which: str = "knee", *, on: Numbers | None = None) -> TrialConfig:
        """The config of a pick, whole.

        Raises:
            ValueError: as ``choice``.
        """
        return TrialConfig.model_validate(self.pick(which, on=on).config)

    def export(
        self, which: str = "knee", path: str | Path | None = None, *, on: Numbers | None = None
    ) -> Path:
        """Write the config of a pick as YAML that ``tuner train`` takes.

        Args:
            which: as of ``choice``.
            path: the file; default: ``exported/<pick>.yaml`` in the study's directory.
            on: as of ``choice``.

        Returns:
            The file.

        Raises:
            ValueError: as ``choice``, or if ``path`` is there and is no trial's config.
        """
        if path is not None:
            refuse_to_replace(Path(path))
        record = self.pick(which, on=on)
        file = Path(path or self.directory / "exported" / f"{slug(which)}.yaml")
        return write_config(self.results, record, file, self._verification(on))

    def __len__(self) -> int:
        """Trials that were begun."""
        return len(self.results.records) if self._place.config.is_file() else 0

    def __repr__(self) -> str:
        if not self._place.config.is_file():
            return f"Study {self.config.name!r}, not begun, for {self.directory}"
        results = self.results
        ended = sum(record.state != TrialState.running for record in results.records)
        knee = f"; knee: {measured(results.knee.values)}" if results.front else ""
        return (
            f"Study {self.config.name!r} in {self.directory}: {ended} of {self.config.trials} "
            f"trials ended, {len(results.front)} on the front{knee}"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the line of ``repr`` and the front."""
        table = self.front.to_html() if len(self) else ""
        return f"<p>{escape(repr(self))}</p>{table}"
