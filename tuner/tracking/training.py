"""A training run in MLflow: found again by its own name, each epoch there once."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tuner.records import TrialRecord
from tuner.tracking import records as mlflow_records
from tuner.tracking.client import (
    SQLITE,
    MlflowClient,
    MlflowException,
    Param,
    Run,
    RunTag,
    connect,
    is_server,
    resolve_tags,
)

EXPERIMENT = "train"
RUN = "tuner.run"
BATCH = 800  # points per request; MLflow takes 1,000 entities, tags included


class MlflowTraining:
    """Brings one run in MLflow to a record of the training; warns once where MLflow is away.

    Everything is derived from the record, so what an absence lost is made good by the next attempt:
    at the end, or when the training is asked for again.

    Args:
        uri: where MLflow is.
        run: the run's own name, never used for another.
        name: what people read.
        tags: further tags.
        warn: shows one line.
    """

    def __init__(
        self,
        uri: str,
        run: str,
        *,
        name: str,
        tags: Mapping[str, str],
        warn: Callable[[str], None],
    ) -> None:
        self._uri: Final = uri
        self._run: Final = run
        self._name: Final = name
        self._tags: Final = dict(tags)
        self._warn: Final = warn
        self._client: MlflowClient | None = None
        self._away = False

    def update(self, record: TrialRecord) -> None:
        """Bring MLflow to the record, unless it has been away before."""
        if not self._away:
            self._attempt(lambda: self._bring(record))

    def end(self, record: TrialRecord, files: Sequence[Path] = ()) -> bool:
        """Bring MLflow to the last record, with files; tries again where it has been away.

        Returns:
            Whether MLflow holds all of it.
        """
        return self._attempt(lambda: self._finish(record, files))

    def _attempt(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except (MlflowException, OSError) as error:
            if not self._away:
                reason = " ".join(str(error).split())
                self._warn(f"training goes on without MLflow: {reason}")
            self._away = True
            return False
        return True

    def _finish(self, record: TrialRecord, files: Sequence[Path]) -> None:
        run = self._bring(record)
        assert self._client is not None
        for path in files:
            self._client.log_artifact(run, str(path))
        status = mlflow_records.STATUS[record.state]
        self._client.set_terminated(run, status)

    def _bring(self, record: TrialRecord) -> str:
        if self._client is None:
            self._client = connect(self._uri)
        client = self._client
        run = self._find(client) or self._create(client, record)
        run_id = str(run.info.run_id)
        if run.info.status != "RUNNING":
            client.update_run(run_id, status="RUNNING")
        wanted = mlflow_records.params(record)
        missing = [Param(k, v) for k, v in wanted.items() if k not in run.data.params]
        if missing:  # a param that differs from what is there rejects its whole batch
            client.log_batch(run_id, params=missing)
        points = mlflow_records.metrics(record, start=int(run.data.tags.get("tuner.epochs", 0)))
        while len(points) > BATCH:
            client.log_batch(run_id, metrics=points[:BATCH])
            points = points[BATCH:]
        # MLflow stores tags after points, so tuner.epochs never promises what is not there
        tags = [RunTag(key, tag) for key, tag in mlflow_records.tags(record).items()]
        client.log_batch(run_id, metrics=points, tags=tags)
        return run_id

    def _find(self, client: MlflowClient) -> Run | None:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            return None
        condition = f"tags.`{RUN}` = '{self._run}'"
        found = client.search_runs([experiment.experiment_id], condition, max_results=1)
        return found[0] if found else None

    def _create(self, client: MlflowClient, record: TrialRecord) -> Run:
        first = record.reports[0]["timestamp"] if record.reports else time.time() * 1000
        return client.create_run(
            self._experiment(client),
            start_time=int(first),
            run_name=self._name,
            tags={**resolve_tags(), **self._tags, RUN: self._run, "tuner.epochs": "0"},
        )

    def _experiment(self, client: MlflowClient) -> str:
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is None:
            return str(client.create_experiment(EXPERIMENT, artifact_location=self._artifacts()))
        if found.lifecycle_stage != "active":
            raise ConnectionError(
                f"MLflow's experiment {EXPERIMENT!r} is deleted; restore it, or use --no-tracking"
            )
        return str(found.experiment_id)

    def _artifacts(self) -> str | None:
        """Beside a database of our own; a server keeps them where it was told to."""
        if is_server(self._uri) or not self._uri.startswith(SQLITE):
            return None
        folder = Path(self._uri.removeprefix(SQLITE)).resolve().parent
        return (folder / "mlartifacts" / EXPERIMENT).as_uri()
