import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tuner.plain_yaml import parse_yaml, yaml_text

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abc<=-é", max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)

LAUGHS = "a0: &a0 [x]\n" + "\n".join(
    f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(9)
)


@pytest.mark.slow
@settings(deadline=None)
@given(VALUES)
@example("\x85")
@example({"é": ["a\u2028b\u2029", {"": "\x85\n"}]})
def test_what_yaml_writes_is_read_back(value):
    assert parse_yaml(yaml_text(value)) == value


@pytest.mark.slow
@settings(deadline=None)
@given(st.text(max_size=200) | st.text("[]{}:,&*!<-\n '\"a1", max_size=80))
def test_any_text_is_a_value_or_one_sentence(text):
    sentence = ""
    try:
        json.dumps(parse_yaml(text))
    except ValueError as error:
        sentence = str(error)

    assert sentence.isprintable()
    assert len(sentence) < 1000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: {c: 1}\na: 2", "key 'a' is there twice, again in line 3"),
        (LAUGHS, "at most 100,000 values"),
        ("a: &a {b: *a}", "alias 'a' must not stand inside what it stands for"),
        ("[" * 20_000, "nested at most 64 deep"),
        ("x" * 1_000_001, "1,000,001 characters"),
        ("a: !!python/object/apply:os.getpid []", "could not determine a constructor"),
        ("a: !!binary gIA=", "could not determine a constructor"),
        ("a: !!bool perhaps", "a value does not fit"),
        ("a: " + "9" * 5000, "a value does not fit"),
        ('a: "\\ud800"', "a value does not fit"),
    ],
    ids=["twice", "bomb", "itself", "deep", "long", "code", "bytes", "tag", "digits", "surrogate"],
)
def test_what_no_settings_need_is_refused(text, words):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the words are matched below
        parse_yaml(text)

    assert words in str(error.value)


def test_dates_are_texts_and_merging_works():
    text = "base: &base {day: 2001-01-01}\nown: {<<: *base, more: 1}"

    assert parse_yaml(text)["own"] == {"day": "2001-01-01", "more": 1}


def test_characters_that_json_escapes_in_pairs_are_read():
    assert parse_yaml(json.dumps({"a": "🙂"})) == {"a": "🙂"}
