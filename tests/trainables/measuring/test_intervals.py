import pytest

from trainables.measuring.intervals import wilson


# Wilson (1927); 0 of 10 and 9 of 10 as in Newcombe (1998) and common statistics packages
@pytest.mark.parametrize(
    ("accuracy", "n", "interval"),
    [(0.0, 10, (0.0, 0.2775)), (0.9, 10, (0.5958, 0.9821)), (0.5, 100, (0.4038, 0.5962))],
)
def test_the_interval_has_the_published_values(accuracy, n, interval):
    assert wilson(accuracy, n) == pytest.approx(interval, abs=1e-4)


def test_what_is_no_share_is_refused():
    with pytest.raises(ValueError, match=r"got 96\.0 and 100"):
        wilson(96.0, 100)
