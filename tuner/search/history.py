"""The part of a study that a sampler learns from, as an Optuna study in memory.

A bounded part: of more trials than ``sampler.history`` it keeps the running ones, the best ranks
and the newest, so that a proposal costs the same at trial 10,000 as at trial 1,000.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import optuna
from optuna.trial import Trial
from optuna.trial import TrialState as OptunaState

from tuner.search.front_geometry import non_dominated_ranks
from tuner.search.lessons import Lesson, worst
from tuner.search.samplers import create_sampler
from tuner.study import StudyConfig

optuna.logging.set_verbosity(optuna.logging.ERROR)  # it announces every study in memory

CONSTRAINT = "held"
SLACK = 1.25
"""How far the part may outgrow its bound before it is cut back: cutting costs, growing does not."""


class History:
    """Lessons by key: numbers of this study's trials, anything else for those of earlier ones."""

    def __init__(self, study: StudyConfig, lessons: Mapping[Any, Lesson]) -> None:
        self._config = study
        self.lessons: dict[Any, Lesson] = {}
        self._begin(lessons.items())
        if len(self.lessons) > self._config.sampler.history:
            self._cut()

    def __len__(self) -> int:
        return len(self.lessons)

    def holds(self, key: Any) -> bool:
        """Whether the trial is known."""
        return key in self.lessons

    def _begin(self, lessons: Iterable[tuple[Any, Lesson]]) -> None:
        self._study = optuna.create_study(
            directions=[objective.direction for objective in self._config.objectives],
            sampler=optuna.samplers.RandomSampler(),
        )
        self._ids: dict[Any, int] = {}
        self.lessons = {}
        for key, lesson in lessons:
            self._learn(key, lesson)

    def put(self, key: Any, lesson: Lesson) -> None:
        """Learn of a trial, or of what became of one that was running."""
        self._learn(key, lesson)
        if len(self.lessons) - len(self._running()) > SLACK * self._config.sampler.history:
            self._cut()

    def _running(self) -> list[Any]:
        running = OptunaState.RUNNING
        return [key for key, lesson in self.lessons.items() if lesson.state == running]

    def _learn(self, key: Any, lesson: Lesson) -> None:
        if key not in self.lessons and lesson.state == OptunaState.FAIL:
            return
        if key not in self._ids:
            self._ids[key] = self._create(lesson)
        self.lessons[key] = lesson
        if lesson.state != OptunaState.RUNNING:
            self._end(self._ids[key], lesson)
        if lesson.state == OptunaState.FAIL:
            del self.lessons[key]

    def _create(self, lesson: Lesson) -> int:
        storage = self._study._storage
        template = optuna.trial.create_trial(
            state=OptunaState.RUNNING,
            params=dict(lesson.params),
            distributions=dict(lesson.distributions),
            system_attrs=dict(lesson.system_attrs),
        )
        return storage.create_new_trial(self._study._study_id, template)

    def _end(self, trial_id: int, lesson: Lesson) -> None:
        values = lesson.values
        if lesson.state == OptunaState.COMPLETE:
            Trial(self._study, trial_id).set_constraint(CONSTRAINT, lesson.violation)
            values = values or worst(self._config, self._values())
        self._study._storage.set_trial_state_values(trial_id, lesson.state, values)

    def _values(self) -> list[tuple[float, ...]]:
        return [lesson.values for lesson in self.lessons.values() if lesson.values]

    def seed(self, num_trials: int, *, at_random: bool = False) -> None:
        """Take a fresh sampler for the draws that follow; see ``create_sampler``."""
        config = self._config.sampler
        if at_random:
            config = config.model_copy(update={"name": "random"})
        self._study.sampler = create_sampler(config, num_trials)

    def ask(self, fixed: Mapping[str, Any] | None = None) -> Trial:
        """A trial to draw parameters with, some of them given."""
        if fixed:
            self._study.enqueue_trial(dict(fixed))
        return self._study.ask()

    def drop(self, trial: Trial) -> None:
        """Forget a draw."""
        self._study.tell(trial, state=OptunaState.FAIL)

    def keep(self, trial: Trial, key: Any) -> Lesson:
        """Take a draw as the running trial ``key``."""
        frozen = self._study._storage.get_trial(trial._trial_id)
        lesson = Lesson(
            OptunaState.RUNNING,
            frozen.params,
            frozen.distributions,
            dict(frozen.system_attrs),  # Optuna adds constraints to its own
        )
        self._ids[key] = trial._trial_id
        self.lessons[key] = lesson
        return lesson

    def renewed(self) -> "History":
        """The same lessons in a study that no thread still draws from."""
        return History(self._config, self.lessons)

    def _cut(self) -> None:
        running = self._running()
        limit = self._config.sampler.history + len(running)
        kept = {*running, *self._best(self._config.sampler.history // 2)}
        for key in reversed(self.lessons):
            if len(kept) >= limit:
                break
            kept.add(key)
        self._begin([(key, lesson) for key, lesson in self.lessons.items() if key in kept])

    def _best(self, number: int) -> list[Any]:
        complete = {k: le for k, le in self.lessons.items() if le.values is not None}
        if not complete:
            return []
        signs = [-1.0 if o.direction == "maximize" else 1.0 for o in self._config.objectives]
        losses = np.array([lesson.values for lesson in complete.values()]) * signs
        violations = np.array([lesson.violation for lesson in complete.values()])
        order = np.argsort(non_dominated_ranks(losses, violations), kind="stable")
        keys = list(complete)
        return [keys[place] for place in order[:number]]
