"""Syne Tune's MOASHA behind a pipe: runs in a virtual environment of its own.

Reads a line of JSON, answers with one. The first line describes the search.
"""

import json
import sys

import numpy as np
from syne_tune import config_space
from syne_tune.backend.trial_status import Trial
from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA
from syne_tune.optimizer.schedulers.multiobjective.multiobjective_priority import (
    NonDominatedPriority,
)


class Repaired(NonDominatedPriority):
    """The place of each trial in the order, where the original returns the order itself."""

    def priority_unsafe(self, objectives):
        return np.argsort(super().priority_unsafe(objectives))


def domain(description):
    kind, *rest = description
    if kind == "choice":
        return config_space.choice(rest)
    return {"log": config_space.loguniform, "uniform": config_space.uniform}[kind](*rest)


def main():
    setup = json.loads(sys.stdin.readline())
    np.random.seed(setup["seed"])
    scheduler = MOASHA(
        {name: domain(d) for name, d in setup["space"].items()},
        metrics=setup["metrics"],
        do_minimize=False,
        time_attr="epoch",
        max_t=setup["epochs"],
        grace_period=setup["grace_period"],
        reduction_factor=setup["reduction_factor"],
        multiobjective_priority=Repaired() if setup["repaired"] else None,
        random_seed=setup["seed"],
    )
    trials = {}
    for line in sys.stdin:
        verb, number, content = json.loads(line)
        if verb == "suggest":
            config = scheduler.suggest().config
            trials[number] = Trial(trial_id=number, config=config, creation_time=None)
            scheduler.on_trial_add(trials[number])
            answer = config
        elif verb == "result":
            answer = str(scheduler.on_trial_result(trials[number], content))
        else:
            scheduler.on_trial_complete(trials.pop(number), content)
            answer = None
        print(json.dumps(answer, default=lambda value: value.item()), flush=True)


if __name__ == "__main__":
    main()
