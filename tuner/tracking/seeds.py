"""What several seeds of one config say together, on the run of the first of them."""

from collections.abc import Sequence

from tuner.records import Metrics, TrialRecord
from tuner.tracking.client import Metric, Run
from tuner.tracking.records import final_name
from tuner.tracking.study import MlflowStudy


def write_seeds(study: MlflowStudy, complete: Sequence[TrialRecord]) -> None:
    """Write means, standard deviations and the number of seeds, where they are not there.

    Every complete config has them, so that a chart of ``final/…_mean`` shows all: with one seed the
    mean is the value, and there is no standard deviation.

    Args:
        study: the study in MLflow.
        complete: one record per config, with means (``Results.complete``).
    """
    wanted = {record.number: record for record in complete}
    for run in study.children():
        record = wanted.get(int(run.data.tags["tuner.trial"]))
        if record is not None and (points := _missing(record, run)):
            study.client.log_batch(run.info.run_id, metrics=points)


def seeds(record: TrialRecord) -> Metrics:
    """``final/…_mean`` and ``final/…_sd`` of every objective, ``final/replicates``."""
    means = {f"{final_name(metric)}_mean": value for metric, value in record.values.items()}
    spreads = {f"{final_name(metric)}_sd": value for metric, value in record.spread.items()}
    return {**means, **spreads, "final/replicates": float(record.replicates)}


def _missing(record: TrialRecord, run: Run) -> list[Metric]:
    when = record.metrics
    return [
        Metric(key, value, timestamp=int(when["timestamp"]), step=int(when["epoch"]))
        for key, value in seeds(record).items()
        if when and run.data.metrics.get(key) != value
    ]
