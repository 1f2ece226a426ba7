import pytest

from trainables.radii import parse_radius, parse_step, radius


@pytest.mark.parametrize(
    ("epsilon", "text"), [(8 / 255, "8/255"), (0.15, "0.15"), (0.2, "0.2"), (128 / 255, "128/255")]
)
def test_epsilon_reads_as_people_write_it(epsilon, text):
    assert radius(epsilon) == text


@pytest.mark.parametrize("epsilon", [8 / 255, 0.15, 0.2, 1 / 255, 1.0])
def test_what_is_written_is_read_back(epsilon):
    assert parse_radius(radius(epsilon)) == epsilon


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2/255", (2 / 255, "image")),
        (" 0.003 ", (0.003, "image")),
        ("3e-3", (0.003, "image")),
        ("0.25eps", (0.25, "epsilon")),
        ("2*epsilon/20", (0.1, "epsilon")),
        ("eps/10", (0.1, "epsilon")),
        ("eps", (1.0, "epsilon")),
    ],
)
def test_a_step_is_a_length_or_a_part_of_epsilon(text, expected):
    assert parse_step(text) == expected


@pytest.mark.parametrize("text", ["", "fast", "8/0", "8//255", "/255", "nan", "-1", "1/2/3"])
def test_what_is_no_length_is_refused(text):
    with pytest.raises(ValueError, match="is no length"):
        parse_step(text)


@pytest.mark.parametrize("text", ["0", "2", "255/8", "0.5eps"])
def test_a_radius_is_above_zero_and_at_most_one(text):
    with pytest.raises(ValueError, match=r"epsilon must be .* at most 1"):
        parse_radius(text)
