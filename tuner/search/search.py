"""The search of one study: what to run next, what a report means, what an end teaches.

Neither Ray nor a clock is in here: Ray's adapters and the simulation drive the same object.
"""

from collections.abc import Mapping
from typing import Any

from tuner.records import Cause, TrialRecord, TrialState
from tuner.running.second_try import SecondTry, plan
from tuner.search.drawing import Drawing
from tuner.search.judged import judged
from tuner.search.judges import create_judge, rebuild
from tuner.search.proposer import Proposer
from tuner.search.remaining import is_made_good, wanted
from tuner.search.starts import Starts
from tuner.search.warm_start import Earlier
from tuner.storage.ledger import Ledger
from tuner.storage.stopping import StorageFailedError
from tuner.study import StudyConfig


class Search:
    """Ledger, proposer and judge of a study.

    What is not in the ledger is rebuilt from it, so an object made anew goes on where another was
    killed. On the way, trials whose last report was stored and not judged are judged.

    Args:
        study: what is asked for.
        ledger: the record; written here and nowhere else.
        earlier: what earlier studies teach, and configs to try first.
        patience: seconds that ``ask`` may wait for a proposal before it says "not yet".
    """

    def __init__(
        self,
        study: StudyConfig,
        ledger: Ledger,
        *,
        earlier: Earlier | None = None,
        patience: float = 0.25,
    ) -> None:
        self._study, self.ledger = study, ledger
        self._judge = create_judge(study)
        for number, reason in rebuild(self._judge, ledger.records()).items():
            ledger.stop(number, reason)
        earlier = earlier or Earlier()
        entries = [(record, ledger.trial(record.number)) for record in ledger.records()]
        self._proposer = Proposer(study, entries, earlier=earlier.lessons, first=earlier.first)
        self._drawing = Drawing(self._proposer, patience, study.sampler.time_limit)
        self.starts = Starts(study.resources.max_failures)
        self._ended: list[TrialRecord] = []
        self._wanted = wanted(study, ledger.records())

    def __reduce__(self) -> Any:
        """Pickled as nothing: Ray snapshots whatever holds a search, and never reads it again."""
        return str, ()

    @property
    def wants_more(self) -> bool:
        """Whether trials are still to be begun."""
        return self._wanted > len(self.ledger)

    def ask(self) -> TrialRecord | None:
        """Begin the next trial; None if there is none, or none is drawn yet."""
        if not self.wants_more:
            return None
        self._learn()
        proposal = self._drawing.poll()
        if proposal is None:
            return None
        record = self.ledger.enter(proposal)
        self._proposer.enter(record, self.ledger.trial(record.number))
        return record

    def report(
        self, number: int, report: Mapping[str, float], *, failure: str = "", done: bool = False
    ) -> TrialRecord:
        """Store an epoch, then judge it; the trial as it stands after that.

        Args:
            number: the trial's.
            report: its metrics and its ``epoch``; nothing more than that if it failed at once.
            failure: why the trial cannot go on; begins with a ``Cause``. For the first time out of
                memory, the trial stays running: it is to be begun again as its record says.
            done: whether this was its last epoch.

        Raises:
            StorageFailedError: if the trial's state cannot be stored; it stays unfinished.
        """
        record = self.ledger.record(number)
        if record.state != TrialState.running:
            return record  # it ended before its process was stopped
        if failure.startswith("storage:"):
            raise StorageFailedError(f"trial {number} cannot store its state: {failure[9:]}")
        if second_try := self._second_try(record, failure):
            return self.ledger.try_again(number, second_try)
        if len(report) > 1 and not (failure and _is_stored(record, report)):
            record = self.ledger.report(number, report)
        if failure:
            return self._end(self.ledger.fail(number, failure))
        if done:
            return self._end(self.ledger.complete(number))
        if not judged(record):
            self._judge.note(record, record.metrics)
            return record
        reason = self._judge.judge(record, record.metrics)
        return self._end(self.ledger.stop(number, reason)) if reason else record

    def _second_try(self, record: TrialRecord, failure: str) -> SecondTry | None:
        """How it goes on, if it ran out of memory for the first time."""
        if not failure.startswith(Cause.out_of_memory) or record.second_try is not None:
            return None
        return plan(self._study.resources, record.config, len(record.reports))

    def fail(self, number: int, reason: str) -> TrialRecord:
        """End a trial that cannot report any more, unless it has ended; see ``Ledger.fail``."""
        record = self.ledger.record(number)
        if record.state != TrialState.running:
            return record
        return self._end(self.ledger.fail(number, reason))

    def _end(self, record: TrialRecord) -> TrialRecord:
        self._wanted += is_made_good(record)
        if record.state == TrialState.complete:
            self._judge.finish(record)
        self._ended.append(record)
        self._learn()
        return record

    def _learn(self) -> None:
        """Teach the proposer what has ended, unless it is drawing at the moment."""
        if self._drawing.busy:
            return
        for record in self._ended:
            self._proposer.end(record, self.ledger.trial(record.number))
        self._ended.clear()


def _is_stored(record: TrialRecord, report: Mapping[str, float]) -> bool:
    """Whether the epoch was reported before; one that failed in the next tells nothing new."""
    return any(stored["epoch"] == report["epoch"] for stored in record.reports)
