"""Whether MLflow takes files: a server may answer and still have nowhere to put them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from tuner.tracking.client import MlflowException
from tuner.tracking.study import MlflowStudy

logger = logging.getLogger(__name__)


class ArtifactsRefusedError(Exception):
    """The server answers, but does not take files; not worth trying again in this session."""


@contextmanager
def refusals_told_from_outages(study: MlflowStudy, what: str) -> Iterator[None]:
    """Raise :class:`ArtifactsRefusedError` where MLflow is there and still an upload fails.

    After the first refusal nothing is tried any more: each would take the time of a timeout.

    Args:
        study: the study in MLflow.
        what: the upload in words, for the message.
    """
    if study.refuses_files:
        raise ArtifactsRefusedError(f"MLflow takes no files, so not {what} either")
    try:
        yield
    except (MlflowException, OSError) as error:
        study.client.search_experiments(max_results=1)  # raises if it is away
        study.refuses_files = True
        reason = str(error).partition("\n")[0][:200]
        sentence = f"MLflow answers, but does not take files: {what} failed ({reason})"
        logger.warning("%s; set it right, then bring it up to date with tuner sync", sentence)
        raise ArtifactsRefusedError(sentence) from error
