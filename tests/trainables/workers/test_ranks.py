"""One process that stands for several, as far as no other is asked."""

import pytest
import torch

from trainables.workers.ranks import ALONE, Ranks


@pytest.mark.parametrize("size", [0, 1, 5, 6, 7])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_ranks_share_all_rows_and_as_equally_as_can_be(count, size):
    parts = [list(range(size))[Ranks(rank, count).own(size)] for rank in range(count)]

    assert [row for part in parts for row in part] == list(range(size))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_each_rank_draws_for_its_images_what_one_process_draws_for_them():
    images = torch.rand(6, 1, 2, 2)

    def noisy(seen):
        return seen + torch.rand(seen.shape, generator=torch.Generator().manual_seed(3))

    parts = [Ranks(rank, 3).as_whole(noisy, images[2 * rank : 2 * rank + 2]) for rank in range(3)]

    assert torch.equal(torch.cat(parts), noisy(images))


def test_every_rank_drops_units_of_its_own():
    assert len({Ranks(rank, 4).seed(7) for rank in range(4)}) == 4
    assert ALONE.seed(7) == 7


@pytest.mark.parametrize("reduction", [ALONE.total, ALONE.mean, ALONE.gathered, ALONE.agreed])
def test_alone_nothing_is_reduced(reduction):
    values = torch.rand(3)

    assert reduction(values) is values
