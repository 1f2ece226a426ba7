"""MLflow as a view of the ledger: a thread in the driver that brings runs to their newest records.

Nothing is kept here that the records do not hold, so a dead MLflow server costs nothing but time,
and ``sync`` rebuilds all of it at any moment.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from trainables.redaction import without_secrets
from tuner.analysis.results import Results
from tuner.records import TrialRecord, TrialState
from tuner.study import StudyConfig
from tuner.tracking import origins as mlflow_origins
from tuner.tracking import pages as mlflow_pages
from tuner.tracking import views as mlflow_views
from tuner.tracking.client import SQLITE, MlflowException, connect, is_passing, unreachable
from tuner.tracking.files import upload_checkpoint, upload_study_file
from tuner.tracking.front import Publication as Publication
from tuner.tracking.front import Sent, publish
from tuner.tracking.models import work_of
from tuner.tracking.note import write_note
from tuner.tracking.pages import Pages as Pages
from tuner.tracking.study import MlflowStudy
from tuner.tracking.uploads import ArtifactsRefusedError

logger = logging.getLogger(__name__)

FIRST_DELAY, LONGEST_DELAY = 0.5, 10.0  # seconds between attempts while MLflow is away
RECORD, PUBLICATION, STATUS, FILES, MODEL = range(5)  # in this order

Key = tuple[int, int]  # what to write, and for a record, of which trial
Work = Callable[[MlflowStudy], None]


def default_uri(directory: Path) -> str:
    """A SQLite database beside the study's directory: all studies there share it."""
    return f"{SQLITE}{(directory.resolve().parent / 'mlflow.db').as_posix()}"


class Tracker:
    """Brings MLflow towards the newest record of every trial, in the background.

    Memory is bounded: of each trial only the newest record waits.
    """

    def __init__(self, study: StudyConfig, directory: Path, uri: str) -> None:
        self._study: Final = study
        self._directory: Final = directory
        self._uri: Final = uri
        self._pending: Final[dict[Key, Work]] = {}
        self._refused: Final[set[Key]] = set()
        self._changed: Final = threading.Condition()
        self._given_up: Final = threading.Event()
        self._closing = False
        self._thread = threading.Thread()
        self._mlflow: MlflowStudy | None = None
        self._sent: Final = Sent()

    @property
    def behind(self) -> int:
        """How many records and other changes have not reached MLflow."""
        with self._changed:
            return len(self._pending.keys() | self._refused)

    def start(self) -> None:
        """Find or create the study's run and begin to write.

        Raises:
            ConnectionError: if MLflow does not answer; one sentence that says what to do.
        """
        self._mlflow = _open(self._study, self._directory, self._uri, resume=True)
        self._put((FILES, -1), upload_study_file)
        self._thread = threading.Thread(
            target=self._write_on, args=(self._mlflow,), name="mlflow", daemon=True
        )
        self._thread.start()

    def update(self, record: TrialRecord) -> None:
        """Note the newest record of a trial; returns at once."""
        self._put((RECORD, record.number), lambda mlflow: mlflow.write(record))
        if record.state is TrialState.complete:
            number = record.number
            self._put((FILES, number), lambda mlflow: upload_checkpoint(mlflow, number))

    def publish(self, publication: Publication) -> None:
        """Note the study's result; returns at once, its files are read later."""
        self._put((PUBLICATION, 0), lambda mlflow: publish(mlflow, publication, self._sent))

    def log_models(self, results: Results) -> None:
        """Note that the front's students are to be logged as models; returns at once."""
        for number, work in work_of(results):
            self._put((MODEL, number), work)

    def close(self, *, status: str, timeout: float = 60) -> bool:
        """Write what is left, then the study's status, and stop.

        Args:
            status: what happened to the study: ``FINISHED``, ``KILLED`` or ``FAILED``.
            timeout: seconds to wait for MLflow.

        Returns:
            Whether everything got through; if not, ``tuner sync`` repairs it.
        """
        if not self._thread.is_alive():
            return not self.behind
        self._put((STATUS, 0), lambda mlflow: mlflow.finish(status))
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        self._given_up.set()
        return not self._thread.is_alive() and not self.behind

    def urls(self, base: str) -> Pages:
        """Links for a browser, given the server's address; only after ``start``.

        Raises:
            ConnectionError: if MLflow does not answer.
        """
        assert self._mlflow is not None, "urls before start"
        return _pages(self._mlflow, base)

    def _put(self, key: Key, work: Work) -> None:
        with self._changed:
            self._pending[key] = work
            self._changed.notify()

    def _write_on(self, mlflow: MlflowStudy) -> None:
        delay = FIRST_DELAY
        while (job := self._next()) is not None:
            key, work = job
            try:
                work(mlflow)
            except Exception as error:  # whatever MLflow does, the study goes on
                self._keep(key, work, error)
                if not isinstance(error, ArtifactsRefusedError):
                    delay = self._back_off(delay, error)
            else:
                self._accept(key)
                delay = FIRST_DELAY

    def _next(self) -> tuple[Key, Work] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closing)
            if not self._pending or self._given_up.is_set():
                return None
            key = min(self._pending, key=lambda waiting: waiting[0])
            return key, self._pending.pop(key)

    def _accept(self, key: Key) -> None:
        with self._changed:
            self._refused.discard(key)

    def _keep(self, key: Key, work: Work, error: Exception) -> None:
        """Put work back behind the rest; but what MLflow refuses twice waits for newer work."""
        with self._changed:
            if is_passing(error) or key not in self._refused:
                self._pending.setdefault(key, work)
            if not is_passing(error):
                self._refused.add(key)

    def _back_off(self, delay: float, error: Exception) -> float:
        """Wait, and return how long to wait the next time."""
        if delay == FIRST_DELAY:
            what = without_secrets(f"MLflow at {self._uri}: {error}")
            logger.warning("%s; trying again in the background", what)
        self._given_up.wait(delay)
        return min(2 * delay, LONGEST_DELAY)


def sync(
    study: StudyConfig,
    directory: Path,
    uri: str,
    records: Iterable[TrialRecord],
    *,
    publication: Publication | None = None,
    results: Results | None = None,
    status: str | None = None,
) -> int:
    """Bring MLflow to the records, from whatever state it is in.

    Args:
        study: names the experiment and the study's run.
        directory: the study's directory; together with the name it identifies the study's run.
        uri: where MLflow is.
        records: the trials.
        publication: the study's result, if it has one.
        results: the same, for checkpoints, the models of the front, and when the study began and
            ended; None leaves them out.
        status: ``FINISHED``, ``KILLED`` or ``FAILED``, if the study has ended.

    Returns:
        How many of the records MLflow now holds; it refuses one only if it is damaged.

    Raises:
        ConnectionError: if MLflow does not answer, or stops answering.
    """
    known = results.records if results else ()
    # a study that MLflow has never seen took the time of its trials, not that of writing it down
    began = min((record.started for record in known if record.started), default=None)
    ended = max((moment for record in known if (moment := record.last_heard)), default=None)
    mlflow = _open(study, directory, uri, began=began)
    try:
        agreed = sum(_write(mlflow, record) for record in records)
        if publication is not None:
            publish(mlflow, publication, Sent())
        if status is not None:
            mlflow.finish(status, ended)
        if results is not None:
            _upload(mlflow, results)
    except (MlflowException, OSError) as error:
        raise ConnectionError(unreachable(uri, error)) from error
    return agreed


def _upload(mlflow: MlflowStudy, results: Results) -> None:
    try:
        upload_study_file(mlflow)
        for record in results.records:
            if record.state is TrialState.complete:
                upload_checkpoint(mlflow, record.number)
        for _, work in work_of(results):
            work(mlflow)
    except ArtifactsRefusedError:
        return  # it has been said, once


def pages(study: StudyConfig, directory: Path, uri: str, *, base: str) -> Pages:
    """Links for a browser to a study that is not being written, given the server's address.

    Raises:
        ConnectionError: if MLflow does not answer.
    """
    return _pages(_open(study, directory, uri), base)


def _open(
    study: StudyConfig,
    directory: Path,
    uri: str,
    *,
    resume: bool = False,
    began: datetime | None = None,
) -> MlflowStudy:
    client = connect(uri)
    if resume:
        mlflow_origins.note(directory)
    try:
        mlflow = MlflowStudy(client, study, directory, began=began)
        mlflow_views.write(client, mlflow.experiment_id, mlflow.run_id, study, name=mlflow.name)
        write_note(mlflow)
        if resume:
            mlflow.resume()
    except MlflowException as error:
        raise ConnectionError(unreachable(uri, error)) from error
    return mlflow


def _write(mlflow: MlflowStudy, record: TrialRecord) -> bool:
    try:
        mlflow.write(record)
    except MlflowException as error:
        if is_passing(error):
            raise
        logger.warning("MLflow refuses trial %d: %s", record.number, error)
        return False
    return True


def _pages(mlflow: MlflowStudy, base: str) -> Pages:
    try:
        return mlflow_pages.pages(mlflow, base)
    except (MlflowException, OSError) as error:
        raise ConnectionError(unreachable(mlflow.client.tracking_uri, error)) from error
