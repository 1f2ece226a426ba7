"""Telling MLflow of a training: what it is called, what its tags say, where it goes."""

from pathlib import Path

from rich.console import Console

from trainables.frozen import fingerprint
from tuner.records import TrialState
from tuner.tracking.tracker import default_uri
from tuner.tracking.training import MlflowTraining
from tuner.training_folder import TrainingFolder

Tracking = MlflowTraining


def tracking_of(folder: TrainingFolder, uri: str | None, console: Console) -> Tracking:
    """The training in MLflow, begun.

    Args:
        folder: the training; claimed.
        uri: where MLflow is; None: the database that the studies in ``runs`` share.
        console: where one line is shown if MLflow is away.
    """
    record = folder.record(TrialState.running)
    tracking = MlflowTraining(
        uri or default_uri(Path("runs/train")),
        folder.run,
        name=f"{folder.path.name}: {record.pair}",
        tags=tags(folder),
        warn=lambda line: console.print(f"note: {line}", soft_wrap=True, markup=False),
    )
    tracking.update(record)
    return tracking


def tags(folder: TrainingFolder) -> dict[str, str]:
    """What tells this run from others: its seed and config, and where that comes from."""
    origin = folder.provenance
    told = (
        {"tuner.from_study": origin.study, "tuner.from_trial": str(origin.trial)} if origin else {}
    )
    return {
        "tuner.seed": str(folder.config.seed),
        "tuner.method": folder.config.method_name,
        "tuner.config": fingerprint(folder.config),
        "tuner.folder": str(folder.path.resolve()),
        **told,
    }
