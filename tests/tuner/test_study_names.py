import pytest
from make_records import make_study

from tuner.storage.directory import StudyDirectory
from tuner.study_names import find_directory


@pytest.fixture
def runs(tmp_path):
    """``runs("digits", "other", …)``: a folder with a study in each; ``folder=name`` to differ."""

    def create(*names, **named):
        for folder, name in {**dict(zip(names, names, strict=True)), **named}.items():
            StudyDirectory(tmp_path / "runs" / folder).claim(make_study(name=name))
        return tmp_path / "runs"

    return create


def refusal(name, root):
    with pytest.raises(ValueError, match="stud") as caught:
        find_directory(name, root)
    return str(caught.value)


def test_a_study_is_found_by_its_directory_its_name_and_the_beginning_of_it(runs):
    root = runs("digits", "cifar")

    found = [find_directory(name, root).path for name in (root / "digits", "digits", "dig")]

    assert found == [root / "digits"] * 3


def test_a_study_is_found_by_the_name_in_its_file(runs):
    root = runs("cifar", first="digits-small")

    assert find_directory("digits-s", root).path == root / "first"


def test_a_whole_name_is_meant_even_if_another_begins_with_it(runs):
    root = runs("digits", "digits-2")

    assert find_directory("digits", root).path == root / "digits"


def test_a_beginning_of_several_names_lists_them(runs):
    root = runs("digits", "digits-2")

    assert refusal("dig", root) == (
        f"'dig' may mean 2 studies: {root / 'digits'}, {root / 'digits-2'}; write more of one"
    )


def test_one_name_in_two_folders_lists_them(runs):
    root = runs(first="digits", second="digits")

    assert "may mean 2 studies" in refusal("digits", root)


def test_an_unknown_name_gets_the_nearest_and_where_to_look(runs):
    root = runs("digits", "cifar")

    assert refusal("digist", root) == (
        "unknown study 'digist'; did you mean 'digits'? known: cifar, digits; "
        "list them with: tuner ls"
    )


def test_a_folder_without_a_study_gets_those_that_have_one(runs):
    root = runs("digits")

    assert refusal("elsewhere/digits", root) == (
        f"elsewhere/digits holds no study; {root} holds {root / 'digits'}; list them with: tuner ls"
    )


def test_where_there_is_no_study_at_all_the_way_to_one_is_named(tmp_path):
    assert "start one with: tuner run digits" in refusal("digits", tmp_path)


def test_an_empty_name_means_nothing_even_if_there_is_only_one_study(runs):
    assert "list them with: tuner ls" in refusal("", runs("digits"))
