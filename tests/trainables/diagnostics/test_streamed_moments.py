import pytest
import torch

from trainables.diagnostics.moments import StreamedMoments


def streamed(vectors, sizes):
    moments = StreamedMoments()
    for part in torch.split(vectors, sizes):
        moments.add(part)
    return moments


@pytest.mark.parametrize("sizes", [[50], [1] * 50, [3, 47], [20, 1, 29]])
def test_streaming_equals_one_pass_whatever_the_parts(sizes):
    vectors = torch.randn(50, 6, dtype=torch.float64) @ torch.randn(6, 6, dtype=torch.float64)

    moments = streamed(vectors, sizes)

    torch.testing.assert_close(moments.mean, vectors.mean(dim=0))
    torch.testing.assert_close(moments.covariance, vectors.T.cov(correction=0))
    torch.testing.assert_close(moments.gram, vectors.T @ vectors / 50)


def test_a_large_mean_costs_no_precision():
    vectors = torch.randn(1000, 3, dtype=torch.float64)

    moments = streamed(vectors + 1e6, 100)

    torch.testing.assert_close(
        moments.covariance, vectors.T.cov(correction=0), rtol=1e-6, atol=1e-6
    )


def test_fewer_vectors_than_channels_are_fine():
    vectors = torch.randn(3, 10, dtype=torch.float64)

    covariance = streamed(vectors, 2).covariance

    assert torch.linalg.matrix_rank(covariance) == 2
