"""One session of a study: claim its directory, run what is missing, write down what came out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from ray.tune.error import TuneError
from rich.console import Console

from tuner.analysis.results import Results
from tuner.exporting.front import write_front
from tuner.pictures.importance import known_importances
from tuner.preview import check_first_trials
from tuner.records import TrialRecord
from tuner.reporting.writing import write_as_it_stands
from tuner.running.cluster_address import require_inside
from tuner.running.progress import Progress, create_progress
from tuner.running.recorder import Watcher
from tuner.running.refresher import Refresher
from tuner.running.runner import (
    check_teachers,
    missing_room,
    prepare_teachers,
    ray_session,
    run_trials,
)
from tuner.running.session_facts import facts_now, keep_facts
from tuner.running.usage import Usage
from tuner.search.proposals import check_space
from tuner.search.remaining import missing
from tuner.search.search import Search
from tuner.search.space_identity import require_same_space
from tuner.search.students import choose_students, describe_removed, narrowed, remembered_students
from tuner.search.warm_start import Earlier, load_earlier
from tuner.storage.directory import StudyDirectory
from tuner.storage.driving import check_services, driving
from tuner.storage.ledger import Ledger, read_records
from tuner.storage.stopping import told_in_a_sentence
from tuner.storage.trial_files import TrialFiles
from tuner.study import StudyConfig
from tuner.tracking.tracker import Pages, Publication, Tracker, default_uri

MakeProgress = Callable[[StudyConfig, list[TrialRecord]], Progress]


class StudyInterruptedError(Exception):
    """The study was stopped before it had all its trials; the same command goes on."""


class Session:
    """A driver at work in a study's directory.

    Args:
        study: what is asked for.
        directory: its directory; made if it is not there.
        console: where progress goes.
        address: a Ray cluster; None starts a Ray of our own.
        progress: makes who shows the trials, from the study and its records; default: on the
            console.
    """

    def __init__(
        self,
        study: StudyConfig,
        directory: StudyDirectory,
        console: Console,
        address: str | None = None,
        *,
        progress: MakeProgress | None = None,
    ) -> None:
        self.study, self.directory = study, directory
        self._console, self._address = console, address
        self._progress = progress or partial(create_progress, console=console)
        self.usage = Usage()
        self.synced = True
        self.links: Callable[[str], Pages] | None = None
        self._trained = False

    def run(self) -> Results:
        """Run the study to its end, from wherever it stands; a finished one is written out again.

        Raises:
            ValueError: if study and directory do not fit, a teacher cannot be used, or no study can
                be driven through the address.
            ConnectionError: if the tracking server does not answer.
            StudyInterruptedError: if it was stopped before its end.
            KeyboardInterrupt: if that was asked for twice, or where no trial runs.
            StorageFailedError: if a disk or a database refuses what has to be kept.
        """
        require_inside(self._address)
        check_space(self.study)
        check_services(self.study, self.directory)
        if not self.directory.config.is_file():
            # what is refused leaves no directory behind
            check_first_trials(narrowed(self.study, choose_students(self.study)))
            read_records(self.study, self.directory.path)  # a database may hold another of the name
        check_teachers(self.study, self.directory.teachers)
        earlier = load_earlier(self.study)
        self.directory.require_space(self.study.resources.min_free_disk_gb)
        with (
            told_in_a_sentence(str(self.directory)),
            driving(self.directory, self.study, self._console.print),
            self.usage,
        ):
            self.directory.claim(self.study)
            ledger = Ledger(self.study, self.directory.path)
            require_same_space(self.study, ledger)
            self._narrow(ledger)
            search = self._search(ledger, earlier)
            tracker = self._start_tracker(ledger)
            status, patience = "FAILED", 60.0
            try:
                self._write_files(ledger)
                if search and missing(self.study, ledger.records()):
                    self._run_missing(search, tracker)
                results = self._write(ledger, tracker)
                status = "KILLED" if missing(self.study, ledger.records()) else "FINISHED"
            except KeyboardInterrupt:
                status, patience = "KILLED", 2.0
                raise
            except (OSError, TuneError):
                patience = 2.0  # MLflow may lie on the disk that is full
                raise
            finally:
                if tracker:
                    self.synced = tracker.close(status=status, timeout=patience)
                    self.links = tracker.urls
            if left := missing(self.study, ledger.records()):
                raise StudyInterruptedError(
                    f"stopped with {left} of {self.study.trials} trials to go"
                )
        return results

    def _narrow(self, ledger: Ledger) -> None:
        """Take out of the space what exceeded the limits when the study began."""
        students = remembered_students(self.study, ledger)
        for line in describe_removed(students):
            self._console.print(line, soft_wrap=True)
        self.study = narrowed(self.study, students)

    def _search(self, ledger: Ledger, earlier: Earlier) -> Search | None:
        """None if nothing is missing; else, what was stored and not judged is judged by now."""
        if not missing(self.study, ledger.records()):
            return None
        return Search(self.study, ledger, earlier=earlier)

    def _write_files(self, ledger: Ledger) -> None:
        """Write what was not written when it was due: killed in between, or refused by the disk."""
        files = TrialFiles(self.directory)
        for record in ledger.records():
            files.update(record)

    def _start_tracker(self, ledger: Ledger) -> Tracker | None:
        tracking = self.study.tracking
        if not tracking.enabled:
            return None
        uri = tracking.uri or default_uri(self.directory.path)
        tracker = Tracker(self.study, self.directory.path, uri)
        tracker.start()
        for record in ledger.records():  # whatever an earlier driver could not write any more
            tracker.update(record)
        return tracker

    def _run_missing(self, search: Search, tracker: Tracker | None) -> None:
        self._trained = True
        progress = self._progress(self.study, search.ledger.records())
        self._console.print("starting Ray, then training or loading the teachers")
        with ray_session(self.study.resources, self._address):
            if lacking := missing_room(self.study.resources):
                self._console.print(lacking, soft_wrap=True)
            teachers = prepare_teachers(self.study, self.directory.teachers_home)
            for name, teacher in teachers.items():
                self._console.print(
                    f"teacher {name}: clean {teacher.clean_accuracy:.1%}, "
                    f"robust {teacher.robust_accuracy:.1%} ({teacher.path.name}, {teacher.origin})"
                )
            files = TrialFiles(self.directory)
            with self._refreshing(search.ledger, tracker) as refresher:
                watchers: list[Watcher] = [files, refresher, *([tracker] if tracker else [])]
                run_trials(self.study, self.directory, search, progress=progress, watchers=watchers)

    @contextmanager
    def _refreshing(self, ledger: Ledger, tracker: Tracker | None) -> Iterator[Refresher]:
        """Bring the front and the report up to date, in a thread, while trials run."""

        def refresh(results: Results) -> None:
            self._write_result(results, tracker, final=False)

        refresher = Refresher(self.study, ledger.records(), refresh)
        refresher.start()
        try:
            yield refresher
        finally:
            refresher.stop()

    def _write(self, ledger: Ledger, tracker: Tracker | None) -> Results:
        self._write_files(ledger)
        results = Results(self.study, ledger.records())
        if self._trained:
            keep_facts(self.directory, facts_now(self.usage))
        self._write_result(results, tracker)
        return results

    def _write_result(
        self, results: Results, tracker: Tracker | None, *, final: bool = True
    ) -> None:
        write_front(results, self.directory.front, known_importances(results))
        write_as_it_stands(self.directory, results)
        if tracker:
            tracker.publish(Publication(self.directory.front, results, final))
            if final:
                tracker.log_models(results)
