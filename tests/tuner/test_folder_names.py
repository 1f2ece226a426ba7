import pytest

from tuner.explain import explain
from tuner.study import StudyConfig

HOSTILE = (
    "",
    ".",
    "..",
    "../up",
    "a/b",
    "a\\b",
    "/etc/passwd",
    "~root",
    "-rf",
    "a\0b",
    "a\nb",
    "a\n",
    "a b",
    "$(x)",
    "é",
    "x" * 101,
    "dot.",
    "CON",
    "con.txt",
    "Lpt1",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_could_leave_its_folder_or_is_none_is_refused(name):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the sentence is looked at below
        StudyConfig(name=name)

    sentence = explain(error.value, StudyConfig)
    assert sentence.startswith("name")
    assert sentence.isprintable()


@pytest.mark.parametrize("name", ["digits", "a.b-c_d", "0", "x" * 100, "console"])
def test_ordinary_names_are_taken(name):
    assert StudyConfig(name=name).name == name
