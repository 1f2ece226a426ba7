"""What to try next: lost trials again, replicates, first trials, baselines, then new draws.

Draws are made on a copy of the study in memory (``History``). A duplicate is dropped there and
leaves no trace, and a trial enters the ledger whole or not at all, whatever is killed in between.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, Trial
from optuna.trial import TrialState as OptunaState

from search_spaces import sample
from trainables.config import TrialConfig, fingerprint, identity
from tuner.analysis.replicates import merge_replicates
from tuner.records import TrialRecord, TrialState
from tuner.search.history import History
from tuner.search.lessons import TEACHES_NOTHING, Lesson, ending
from tuner.search.proposals import Proposal, baseline_overrides, first_trials, resolve
from tuner.search.remaining import is_made_good
from tuner.search.spaces import find_search_space
from tuner.study import StudyConfig

MAX_REDRAWS = 20
"""Draws after which a duplicate is accepted: a small discrete space may simply be used up."""

Entry = tuple[TrialRecord, FrozenTrial]
"""A trial as we and as Optuna see it."""


class Proposer:
    """Knows what was tried, and draws what comes next.

    Args:
        study: what is searched.
        entries: trials that are in the ledger, by number.
        earlier: what earlier studies teach.
        first: parameters to try first, besides the study's own.
    """

    def __init__(
        self,
        study: StudyConfig,
        entries: Iterable[Entry] = (),
        *,
        earlier: Mapping[Any, Lesson] | None = None,
        first: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._study, self._space = study, find_search_space(study.search_space)
        self._first = [*first_trials(study, self._space), *first]
        self._baselines = baseline_overrides(study, self._space)
        self._history = History(study, earlier or {})
        self._seen: set[str] = set()
        self._num_trials = self._num_own = 0
        self._lost: dict[int, Entry] = {}
        self._groups: dict[int, list[Entry]] = {}
        for record, trial in entries:
            self.enter(record, trial)
            if record.state != TrialState.running:
                self.end(record, trial)

    def enter(self, record: TrialRecord, trial: FrozenTrial) -> None:
        """Take note of a new trial."""
        self._num_trials += 1
        if record.retries is not None:
            self._lost.pop(record.retries, None)
        if record.repeats is not None:
            self._groups[record.repeats].append((record, trial))
            return
        self._num_own += record.retries is None
        self._groups[record.number] = [(record, trial)]
        self._seen.add(_run_of(record.config))
        if trial.params and not self._history.holds(record.number):
            lesson = Lesson(
                OptunaState.RUNNING, trial.params, trial.distributions, trial.system_attrs
            )
            self._history.put(record.number, lesson)

    def end(self, record: TrialRecord, trial: FrozenTrial) -> None:
        """Learn from the end of a trial; of a group of replicates, from the last one's."""
        if is_made_good(record):
            self._lost[record.number] = (record, trial)
        if record.cause in TEACHES_NOTHING:
            self._seen.discard(_run_of(record.config))
        leader = record.number if record.repeats is None else record.repeats
        members = self._groups[leader]
        places = [member.number for member, _ in members]
        members[places.index(record.number)] = (record, trial)
        if self._pending(members):
            return
        records = [member for member, _ in self._groups.pop(leader)]
        self._teach(leader, next(iter(merge_replicates(records)), records[0]))

    def _pending(self, members: list[Entry]) -> bool:
        """Whether a group waits for trials that run or that are still to be begun."""
        running = any(member.state == TrialState.running for member, _ in members)
        _, *replicates = members  # a first trial that was lost is begun again in a group of its own
        lost = any(member.number in self._lost for member, _ in replicates)
        return running or lost or self._wants_replicate(members)

    def _wants_replicate(self, members: list[Entry]) -> bool:
        first = members[0][0]
        ended = first.state == TrialState.complete
        return ended and _num_seeds(members) < self._study.replicates

    def _teach(self, number: int, record: TrialRecord) -> None:
        lesson = self._history.lessons.get(number)
        if lesson is not None:
            state, values, violation = ending(self._study, record)
            self._history.put(
                number,
                dataclasses.replace(lesson, state=state, values=values, violation=violation),
            )

    def next(self, *, at_random: bool = False) -> Proposal:
        """The next trial; what is not given is drawn by the sampler, or at random.

        Raises:
            ValueError: if a first trial, a baseline, a range or a fixed value does not fit.
        """
        return self.again() or self._given(at_random) or self.draw(at_random=at_random)

    def again(self) -> Proposal | None:
        """A lost trial to be begun again, or a replicate, if there is one."""
        for record, trial in self._lost.values():
            return self._copy(record, trial, repeats=record.repeats, retries=record.number)
        for leader, members in self._groups.items():
            if self._wants_replicate(members):
                record, trial = members[0]
                copy = self._copy(record, trial, repeats=leader, retries=None)
                seed = copy.config.seed + _num_seeds(members)
                config = copy.config.model_copy(update={"seed": seed})
                return dataclasses.replace(copy, config=config)
        return None

    def _copy(
        self, record: TrialRecord, trial: FrozenTrial, *, repeats: int | None, retries: int | None
    ) -> Proposal:
        return Proposal(
            TrialConfig.model_validate(record.config),
            record.label,
            record.teacher,
            trial.params,
            trial.distributions,
            {},
            repeats,
            retries,
        )

    def _given(self, at_random: bool) -> Proposal | None:
        """The paper's setting first, then other first trials, then the baselines."""
        position = self._num_own
        if position < len(self._first):
            built_in = self._study.first_trials is None and self._space.first_trials
            label = "paper" if built_in and position == 0 else "searched"
            return self.draw(dict(self._first[position]), label, at_random=at_random)
        position -= len(self._first)
        if position < len(self._baselines):
            label, overrides = self._baselines[position]
            config, teacher = resolve(self._study, overrides)
            return Proposal(config, label, teacher)
        return None

    def draw(
        self,
        fixed: Mapping[str, Any] | None = None,
        label: str = "searched",
        *,
        at_random: bool = False,
    ) -> Proposal:
        """What the sampler suggests, with ``fixed`` parameters; no duplicate, if it can help it."""
        history = self._history  # another may take its place while this one draws
        history.seed(self._num_trials, at_random=at_random)
        for draw in range(MAX_REDRAWS + 1):
            trial = history.ask(fixed)
            config, teacher = self._sampled(trial)
            if fixed or draw == MAX_REDRAWS or _run_of(config) not in self._seen:
                break
            history.drop(trial)
        lesson = history.keep(trial, self._num_trials)
        return Proposal(
            config, label, teacher, lesson.params, lesson.distributions, lesson.system_attrs
        )

    def renew(self) -> None:
        """Go on with a fresh copy of what was learnt."""
        self._history = self._history.renewed()

    def _sampled(self, trial: Trial) -> tuple[TrialConfig, str]:
        study = self._study
        settings = {"ranges": study.ranges, "fixed": study.fixed}
        overrides = sample(self._space, trial, teachers=sorted(study.teachers), **settings)
        return resolve(study, overrides)


def _run_of(config: TrialConfig | Mapping[str, Any]) -> str:
    """Equal for configs of one run, also if one of them goes on with batches in parts."""
    content = config.model_dump(mode="json") if isinstance(config, TrialConfig) else config
    return fingerprint(identity(content))


def _num_seeds(members: list[Entry]) -> int:
    """How many replicates a group has; one that was lost and its retry are the same."""
    return len({record.config["seed"] for record, _ in members})
