"""A study in MLflow: one parent run, one child run per trial, each found by its tags."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from tuner.analysis import costs
from tuner.records import TrialRecord
from tuner.storage.directory import StudyDirectory
from tuner.study import StudyConfig
from tuner.tracking import data as mlflow_data
from tuner.tracking import parent as mlflow_parent
from tuner.tracking import records as mlflow_records
from tuner.tracking.client import (
    MlflowClient,
    MlflowException,
    Param,
    Run,
    RunTag,
    is_server,
)
from tuner.tracking.hardware import hardware_tags
from tuner.tracking.origins import Origins

BATCH = 800  # points per request; MLflow takes 1,000 entities, tags included
MOST_PARAMS = 100  # per request
PAGE = 200  # runs per page of a search: a page has to arrive within the timeout of one request


@dataclass
class Written:
    """What MLflow holds of a trial, as far as we know."""

    run_id: str
    status: str = "RUNNING"
    params: set[str] = field(default_factory=set)
    tags: dict[str, str] = field(default_factory=dict)
    has_inputs: bool = False

    @classmethod
    def of(cls, run: Run) -> Self:
        """What a search found."""
        inputs = run.inputs.dataset_inputs if run.inputs else []
        params, tags = set(run.data.params), dict(run.data.tags)
        return cls(run.info.run_id, run.info.status, params, tags, bool(inputs))


class MlflowStudy:
    """Writes records into MLflow, each point once; every call may raise what MLflow raises.

    What is there already is read from MLflow itself when the study is opened, so a study can be
    stopped at any point and opened again.
    """

    def __init__(
        self,
        client: MlflowClient,
        study: StudyConfig,
        directory: Path,
        *,
        began: datetime | None = None,
    ) -> None:
        self.client: Final = client
        self.study: Final = study
        self.directory: Final = directory.resolve()
        self._place: Final = StudyDirectory(self.directory)
        self._origins: Final = Origins.read(self.directory)
        self.experiment_id: Final = self._experiment()
        parent = self._parent(mlflow_records.milliseconds(began))
        self.run_id: Final = str(parent.info.run_id)
        self.name: Final = str(parent.info.run_name)
        self.tags: Final = dict(parent.data.tags)
        self.refuses_files = False
        self._describe(parent)
        self._trials: Final[dict[int, Written]] = {}
        self._doubtful: Final[set[int]] = set()
        self._read(self.children())

    @property
    def experiment_name(self) -> str:
        """The study's own name unless it asks for another."""
        return self.study.tracking.experiment or self.study.name

    def children(self, condition: str = "") -> Iterator[Run]:
        """The trials' runs, oldest first, page by page."""
        condition = f"tags.`mlflow.parentRunId` = '{self.run_id}'" + condition
        yield from self._search(condition)

    def write(self, record: TrialRecord) -> None:
        """Bring the trial's run to where the record is; nothing is sent that is there already."""
        trial = self._trials.get(record.number) or self._find_or_create(record)
        try:
            self._write_params(trial, record)
            self._write_inputs(trial, record)
            self._write_reports(trial, record)
            self._write_status(trial, record)
        except Exception:
            # What arrived is not known, and somebody may have deleted the run: look again.
            self._forget(record.number)
            raise

    def _forget(self, number: int) -> None:
        self._trials.pop(number, None)
        self._doubtful.add(number)

    def resume(self) -> None:
        """Mark the study as running again."""
        self.client.update_run(self.run_id, status="RUNNING")

    def finish(self, status: str, ended: datetime | None = None) -> None:
        """Sum up, and mark the study as ``FINISHED``, ``KILLED`` or ``FAILED`` if it is not.

        Args:
            status: what happened to it.
            ended: when; None: now.
        """
        run = self.client.get_run(self.run_id)
        totals = mlflow_parent.totals(trial.tags for trial in self._trials.values())
        self.tag(self.run_id, mlflow_parent.missing(totals, run.data.tags))
        if status != "FINISHED":
            self._leave_unfinished(mlflow_records.milliseconds(ended))
        if run.info.status != status:
            self.client.set_terminated(self.run_id, status, mlflow_records.milliseconds(ended))

    def _leave_unfinished(self, ended: int | None) -> None:
        """Where no driver runs, no trial does; ``write`` lets one that goes on run again."""
        state = {"tuner.state": "unfinished"}
        for trial in self._trials.values():
            if trial.status == "RUNNING":
                self.tag(trial.run_id, state)
                self.client.set_terminated(trial.run_id, "KILLED", ended)
                trial.status = "KILLED"
                trial.tags |= state

    @property
    def num_trials(self) -> int:
        """How many trials have a run."""
        return len(self._trials)

    def trial(self, number: int) -> Written | None:
        """What MLflow holds of a trial; None if it has no run."""
        return self._trials.get(number)

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run in one request, or none."""
        if tags:
            self.client.log_batch(run_id, tags=[RunTag(key, tag) for key, tag in tags.items()])

    def _describe(self, parent: Run) -> None:
        """Write on the study's run what is not there: its config by path, and what it is about."""
        wanted = mlflow_parent.params(self.study)
        self._log_params(
            self.run_id, {k: v for k, v in wanted.items() if k not in parent.data.params}
        )
        self.tag(
            self.run_id, mlflow_parent.missing(mlflow_parent.tags(self.study), parent.data.tags)
        )

    def _log_params(self, run_id: str, wanted: Mapping[str, str]) -> None:
        params = [Param(key, value) for key, value in wanted.items()]
        for first in range(0, len(params), MOST_PARAMS):
            self.client.log_batch(run_id, params=params[first : first + MOST_PARAMS])

    def _experiment(self) -> str:
        found = self.client.get_experiment_by_name(self.experiment_name)
        if found is None:
            return self._create_experiment()
        if found.lifecycle_stage != "active":
            raise ConnectionError(
                f"MLflow's experiment {self.experiment_name!r} is deleted; restore it, "
                "or choose another name with tracking.experiment in the study file"
            )
        return str(found.experiment_id)

    def _create_experiment(self) -> str:
        name = self.experiment_name
        place = None  # a server keeps artifacts where it was told to
        if not is_server(self.client.tracking_uri):
            place = (self.directory.parent / "mlartifacts" / name).as_uri()
        try:
            return str(self.client.create_experiment(name, artifact_location=place))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return self._experiment()  # another study was faster

    def _parent(self, began: int | None) -> Run:
        own = {"tuner.study": self.study.name, "tuner.directory": str(self.directory)}
        studies = f"tags.`tuner.study` = '{self.study.name}' AND tags.`tuner.directory` != ''"
        namesakes = list(self._search(studies))
        for run in namesakes:
            # Compared here, as a path may hold what a filter cannot.
            if run.data.tags.get("tuner.directory") == own["tuner.directory"]:
                return run
        name = mlflow_parent.free_name(self.study.name, {run.info.run_name for run in namesakes})
        tags = {**self._origins.at(None), **own}
        return self.client.create_run(
            self.experiment_id, start_time=began, tags=tags, run_name=name
        )

    def _search(self, condition: str) -> Iterator[Run]:
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id],
                condition,
                max_results=PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            yield from page
            token = page.token
            if not token:
                return

    def _read(self, runs: Iterator[Run]) -> None:
        for run in list(runs):
            number = int(run.data.tags["tuner.trial"])
            known = self._trials.setdefault(number, Written.of(run))
            if known.run_id != run.info.run_id:
                # The request that made it was given up as lost, then arrived after all.
                self.client.delete_run(run.info.run_id)

    def _find_or_create(self, record: TrialRecord) -> Written:
        number = record.number
        if number in self._doubtful:
            self._read(self.children(f" AND tags.`tuner.trial` = '{number}'"))
        if number not in self._trials:
            self._doubtful.add(number)
            self._trials[number] = self._create(record)
        self._doubtful.discard(number)
        return self._trials[number]

    def _create(self, record: TrialRecord) -> Written:
        started = mlflow_records.milliseconds(record.started)
        identity = {
            "mlflow.parentRunId": self.run_id,
            "tuner.study": self.study.name,
            "tuner.trial": str(record.number),
        }
        tags = {key: tag for key, tag in self._tags(record).items() if tag} | {"tuner.epochs": "0"}
        run = self.client.create_run(
            self.experiment_id,
            start_time=started or int(time.time() * 1000),
            run_name=mlflow_records.run_name(record),
            tags={**self._origins.at(record.started), **identity, **tags},
        )
        return Written(run.info.run_id, tags=tags)

    def _tags(self, record: TrialRecord) -> dict[str, str]:
        return {
            **mlflow_records.tags(record),
            **mlflow_records.cost_tags(record, costs.gpu_seconds(self.study, record)),
            **hardware_tags(self._place.trial_file(record.number, "machine.json").parent),
        }

    def _write_params(self, trial: Written, record: TrialRecord) -> None:
        # A param that differs from what is there rejects its whole batch: only what is missing.
        wanted = mlflow_records.params(record)
        self._log_params(trial.run_id, {k: v for k, v in wanted.items() if k not in trial.params})
        trial.params.update(wanted)

    def _write_inputs(self, trial: Written, record: TrialRecord) -> None:
        # After the first epoch: what a worker has to fetch or draw is there by then.
        if record.reports and not trial.has_inputs:
            self.client.log_inputs(trial.run_id, mlflow_data.inputs(record.config))
            trial.has_inputs = True

    def _write_reports(self, trial: Written, record: TrialRecord) -> None:
        changed = mlflow_parent.missing(self._tags(record), trial.tags)
        if not changed:
            return
        cost = costs.gpu_seconds(self.study, record)
        points = mlflow_records.metrics(record, int(trial.tags.get("tuner.epochs", 0)), cost)
        while len(points) > BATCH:
            self.client.log_batch(trial.run_id, metrics=points[:BATCH])
            points = points[BATCH:]
        # MLflow stores tags after points, so tuner.epochs never promises what is not there.
        tags = [RunTag(key, tag) for key, tag in changed.items()]
        self.client.log_batch(trial.run_id, metrics=points, tags=tags)
        trial.tags.update(changed)

    def _write_status(self, trial: Written, record: TrialRecord) -> None:
        status = mlflow_records.STATUS[record.state]
        if trial.status == status:
            return
        if status == "RUNNING":
            self.client.update_run(trial.run_id, status=status)
        else:
            self.client.set_terminated(
                trial.run_id, status, mlflow_records.milliseconds(record.ended)
            )
        trial.status = status
