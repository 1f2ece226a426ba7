"""Going on from a state that may have been damaged since it was written."""

from collections.abc import Iterator
from contextlib import contextmanager

from trainables.spelling import shortened


@contextmanager
def whole_state() -> Iterator[None]:
    """What is missing in a state, or does not fit the run, as one sentence.

    Raises:
        ValueError: instead of whatever PyTorch and Python raise.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError) as error:
        raise ValueError(
            "this checkpoint is damaged, as it does not hold the state of this run "
            f"({type(error).__name__}: {shortened(str(error), 200)}); delete it and train again"
        ) from error
