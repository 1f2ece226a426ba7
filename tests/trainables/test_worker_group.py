"""Which error of a group of workers is the one that explains the others."""

import torch
from ray.exceptions import ActorDiedError

from trainables.worker_group import worst


def test_a_death_explains_what_the_others_missed():
    died = ActorDiedError()

    assert worst([RuntimeError("connection closed by peer"), died]) is died


def test_want_of_memory_explains_what_the_others_missed():
    full = torch.OutOfMemoryError("2 GiB")

    assert worst([RuntimeError("timed out"), full]) is full


def test_else_the_first_error_is_it():
    first, second = ValueError("a"), ValueError("b")

    assert worst([first, second]) is first
