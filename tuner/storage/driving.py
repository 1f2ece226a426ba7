"""Being the one who drives a study: alone, and with what lies at a URL kept in step."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trainables.storage.object_store import StoreError
from tuner.storage.directory import StudyDirectory
from tuner.storage.lease import Lease
from tuner.storage.working_copy import WorkingCopy
from tuner.study import StudyConfig

logger = logging.getLogger(__name__)

EVERY = 5.0
"""Seconds between two looks at what is new, here and there."""


def check_services(study: StudyConfig, directory: StudyDirectory) -> None:
    """See that a study that lives at a URL has its ledger and its runs elsewhere than in files.

    Raises:
        ValueError: if it has not.
    """
    if directory.copy is None:
        return
    if study.storage is None:
        raise ValueError(
            f"a study at a URL ({directory}) needs a database, as no journal can be appended to "
            "there; name it as storage in the study file, such as postgresql://host/optuna"
        )
    if study.tracking.enabled and study.tracking.uri is None:
        raise ValueError(
            f"a study at a URL ({directory}) has no place for a local mlflow.db; name a server by "
            "tracking.uri or --tracking-uri, or set tracking.enabled to false"
        )


@contextmanager
def driving(
    directory: StudyDirectory, study: StudyConfig, say: Callable[[str], None] = lambda _: None
) -> Iterator[None]:
    """Keep every other driver out; of a study at a URL, on all machines, and its files in step.

    Args:
        directory: of the study.
        study: whose database knows who drives it.
        say: is told what there is to wait for.

    Raises:
        ValueError: if another one drives the study.
        ConnectionError: if its store or database does not answer.
    """
    check_services(study, directory)
    with directory.lock():
        if directory.copy is None:
            yield
            return
        assert study.storage is not None
        with Lease(study.storage, study.name, say) as lease, in_step(directory.copy, lease):
            yield


@contextmanager
def in_step(copy: WorkingCopy, lease: Lease) -> Iterator[None]:
    """Bring here what is there, then put there what changes, in a thread, until the end.

    Once the lease is lost, what is there is another driver's, and nothing is put there any more.

    Raises:
        StoreError: if the store does not answer at the beginning, or at the end.
    """
    copy.pull()
    over = threading.Event()

    def keep() -> None:
        while not over.wait(EVERY) and not lease.is_lost:
            try:
                copy.push()
                copy.pull(forget=False)
            except StoreError as error:  # what is behind now is put there later
                logger.warning("%s", error)

    thread = threading.Thread(target=keep, name="copy", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if not lease.is_lost:
            copy.put()
