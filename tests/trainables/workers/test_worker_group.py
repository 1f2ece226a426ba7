"""Which error of a group of workers is the one that explains the others."""

import torch
from ray.exceptions import ActorDiedError

from trainables.workers.worker_group import worst


def test_a_death_explains_what_the_others_missed():
    died = ActorDiedError()

    assert worst([RuntimeError("connection closed by peer"), died]) is died


def test_want_of_memory_explains_what_the_others_missed():
    full = torch.OutOfMemoryError("2 GiB")

    assert worst([RuntimeError("timed out"), full]) is full


def test_else_the_first_error_is_it():
    first, second = ValueError("a"), ValueError("b")

    assert worst([first, second]) is first


def test_want_of_memory_that_has_no_class_of_its_own_explains_it_too():
    full = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    assert worst([RuntimeError("timed out"), full]) is full
