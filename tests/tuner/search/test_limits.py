import pytest
from pydantic import ValidationError

from tuner.search.limits import LimitsConfig


@pytest.mark.parametrize(
    ("written", "count"),
    [(700, 700), ("700", 700), ("500k", 500_000), ("1M", 1_000_000), ("2.5 G", 2_500_000_000)],
)
def test_counts_are_written_as_people_write_them(written, count):
    assert LimitsConfig(max_parameters=written).max_parameters == count


@pytest.mark.parametrize("written", ["1 MB", "many", "1m", "-3k", "", True])
def test_what_is_no_count_is_refused_with_examples(written):
    with pytest.raises(ValidationError, match=r"must be a count such as 1000000, 500k, 1M or 2.5G"):
        LimitsConfig(max_multiply_adds=written)


@pytest.mark.parametrize("field", ["max_parameters", "max_multiply_adds", "max_latency_ms"])
def test_a_limit_that_nothing_can_hold_is_refused(field):
    with pytest.raises(ValidationError, match="greater than"):
        LimitsConfig.model_validate({field: 0})


def test_only_what_is_bounded_is_counted():
    assert LimitsConfig(max_multiply_adds="1k", max_latency_ms=2).counts == {"multiply_adds": 1000}


def test_the_editor_is_told_that_texts_are_allowed():
    schema = LimitsConfig.model_json_schema()

    assert "1M" in str(schema["properties"]["max_parameters"])


def test_a_count_beyond_all_numbers_is_refused():
    with pytest.raises(ValueError, match="must be a count such as"):
        LimitsConfig(max_parameters="1e999")
