import pytest
import torch

from trainables.measuring.undisturbed import undisturbed


@pytest.fixture(autouse=True)
def tf32():
    """On, as PyTorch has it for convolutions, so that switching it off is seen."""
    backends = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)
    before = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = "tf32"
    yield
    for backend, precision in zip(backends, before, strict=True):
        backend.fp32_precision = precision


def test_inside_it_is_in_eval_mode_frozen_and_in_plain_float32(mixed):
    with undisturbed(mixed):
        inside = (
            any(module.training for module in mixed.modules()),
            any(parameter.requires_grad for parameter in mixed.parameters()),
            torch.backends.cudnn.conv.fp32_precision,
            torch.backends.cuda.matmul.fp32_precision,
        )

    assert inside == (False, False, "ieee", "ieee")


def test_autocast_around_it_does_not_reach_inside(mixed):
    with torch.autocast("cpu", dtype=torch.bfloat16), undisturbed(mixed):
        logits = mixed(torch.rand(2, 1, 8, 8))

    assert logits.dtype == torch.float32


def test_afterwards_everything_is_as_it_was(mixed, condition):
    before = condition(mixed)

    with undisturbed(mixed):
        mixed(torch.rand(2, 1, 8, 8)).sum()

    assert condition(mixed) == before


def test_after_an_exception_too(mixed, condition):
    before = condition(mixed)

    with pytest.raises(RuntimeError, match="out of memory"), undisturbed(mixed):
        raise RuntimeError("out of memory")

    assert condition(mixed) == before
