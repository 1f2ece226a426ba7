"""How it is searched: studies on Ray with Optuna, held in MLflow; the Python API in a few names.

>>> from tuner import Study
>>> study = Study.load("digits", trials=8, directory="runs/small")
>>> study.run()
>>> study.front

Importing the package sets the environment of Ray and MLflow before either is imported: no
telemetry, no output of their own. What the user has set already stays. Everything else is
imported when it is first asked for.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainables.config import TrialConfig as TrialConfig
    from tuner.api.comparison import compare as compare
    from tuner.api.evaluation import Measured as Measured
    from tuner.api.evaluation import evaluate as evaluate
    from tuner.api.study import Study as Study
    from tuner.api.taking import Packaged as Packaged
    from tuner.api.taking import package as package
    from tuner.api.taking import train as train
    from tuner.running.session import StudyInterruptedError as StudyInterruptedError
    from tuner.study import StudyConfig as StudyConfig

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # what Ray would restore, the ledger knows
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

_HOMES = {
    "Study": "tuner.api.study",
    "StudyConfig": "tuner.study",
    "StudyInterruptedError": "tuner.running.session",
    "TrialConfig": "trainables.config",
    "Measured": "tuner.api.evaluation",
    "compare": "tuner.api.comparison",
    "evaluate": "tuner.api.evaluation",
    "Packaged": "tuner.api.taking",
    "package": "tuner.api.taking",
    "train": "tuner.api.taking",
}
"""Where the names of the Python API live."""

__all__ = [
    "Measured",
    "Packaged",
    "Study",
    "StudyConfig",
    "StudyInterruptedError",
    "TrialConfig",
    "compare",
    "evaluate",
    "package",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a name of the API when it is first asked for, so that ``tuner --help`` stays fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tuner' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
