"""Drawing proposals beside the loop, so that a slow sampler never keeps trials waiting."""

import logging
import math
import threading
import time

from tuner.search.proposals import Proposal
from tuner.search.proposer import Proposer

logger = logging.getLogger(__name__)


class Drawing:
    """One proposal at a time, in a thread.

    Args:
        proposer: left alone by everybody else while this is ``busy``.
        patience: seconds that ``poll`` waits; infinite: draw in the caller's own thread.
        limit: seconds after which a draw is given up and a random one takes its place.
    """

    def __init__(self, proposer: Proposer, patience: float, limit: float) -> None:
        self._proposer, self._patience, self._limit = proposer, patience, limit
        self._thread: _Draw | None = None

    @property
    def busy(self) -> bool:
        """Whether a thread is drawing."""
        return self._thread is not None

    def poll(self) -> Proposal | None:
        """The next proposal, or None while it is being drawn.

        Raises:
            ValueError: as :meth:`Proposer.next`.
        """
        if math.isinf(self._patience):
            return self._proposer.next()
        if self._thread is None:
            self._thread = _Draw(self._proposer)
            self._thread.start()
        self._thread.join(self._patience)
        if not self._thread.is_alive():
            drawn, self._thread = self._thread, None
            return drawn.proposal()
        if time.monotonic() - self._thread.began < self._limit:
            return None
        self._thread = None
        logger.warning("no proposal within %g s (sampler.time_limit): a random one", self._limit)
        self._proposer.renew()  # the thread keeps the old copy of the study
        return self._proposer.next(at_random=True)


class _Draw(threading.Thread):
    """Daemonic: a draw that was given up must not keep the process alive."""

    def __init__(self, proposer: Proposer) -> None:
        super().__init__(name="proposal", daemon=True)
        self.began = time.monotonic()
        self._proposer = proposer
        self._drawn: Proposal | None = None
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            self._drawn = self._proposer.next()
        except Exception as error:
            self._error = error

    def proposal(self) -> Proposal | None:
        if self._error is not None:
            raise self._error
        return self._drawn
