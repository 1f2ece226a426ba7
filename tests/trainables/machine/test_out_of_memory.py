"""Which errors say that memory ran out."""

import pytest
import torch

from trainables.machine.out_of_memory import is_out_of_memory


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be …"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_an_error_that_says_so_is_one(error):
    assert is_out_of_memory(error)


def test_a_tensor_that_the_machine_cannot_hold_is_one():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)

    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: device-side assert triggered"),
        ValueError("CUDA error: out of memory"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
    ],
)
def test_other_errors_are_not(error):
    assert not is_out_of_memory(error)
