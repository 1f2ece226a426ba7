import torch

from trainables.diagnostics.saliency import saliency


def test_saliency_is_the_strongest_channel_as_a_share_of_the_strongest_pixel():
    gradients = torch.tensor([[[[1.0, -4.0]], [[-2.0, 3.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]]])

    maps = saliency(gradients)

    assert maps.tolist() == [[[0.5, 1.0]], [[0.0, 0.0]]]
