"""Files of trials among MLflow's artifacts: what a server refuses holds nothing up."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from tuner.mlflow_client import MlflowClient, MlflowException

logger = logging.getLogger(__name__)


class ArtifactsRefusedError(Exception):
    """The server answers, but does not take a file; not worth trying again soon."""


@contextmanager
def refusals_told_from_outages(client: MlflowClient, what: str) -> Iterator[None]:
    """Raise :class:`ArtifactsRefusedError` where MLflow is there and still an upload fails.

    Args:
        client: asked for something small after a failure.
        what: the upload in words, for the message.
    """
    try:
        yield
    except (MlflowException, OSError) as error:
        client.search_experiments(max_results=1)  # raises if it is away
        raise ArtifactsRefusedError(f"{what} is not taken: {error}") from error
