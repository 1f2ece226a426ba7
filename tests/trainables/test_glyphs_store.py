import numpy as np
import pytest

from trainables.glyphs import generate, stored


def test_what_is_stored_is_what_is_drawn(tmp_path):
    drawn = generate(30, 10, 5)

    first = stored(30, 10, seed=5, root=tmp_path / "new")
    second = stored(30, 10, seed=5, root=tmp_path / "new")

    for images, labels in (first, second):
        assert np.array_equal(images, drawn[0])
        assert np.array_equal(labels, drawn[1])
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_stored_file_is_read_not_drawn_again(tmp_path):
    images, labels = stored(30, 10, seed=0, root=tmp_path)
    (path,) = tmp_path.iterdir()
    np.savez(path, images=255 - images, labels=labels)

    again, _ = stored(30, 10, seed=0, root=tmp_path)

    assert np.array_equal(again, 255 - images)


def test_other_counts_classes_and_seeds_have_files_of_their_own(tmp_path):
    for count, classes, seed in ((30, 10, 0), (31, 10, 0), (30, 2, 0), (30, 10, 1)):
        stored(count, classes, seed=seed, root=tmp_path)

    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:0],
        lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    ],
    ids=["cut off", "empty", "one bit flipped"],
)
def test_a_damaged_file_is_drawn_and_written_anew(damage, tmp_path):
    images, _ = stored(30, 10, seed=0, root=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))

    again, _ = stored(30, 10, seed=0, root=tmp_path)
    with np.load(path) as file:
        rewritten = file["images"]

    assert np.array_equal(again, images)
    assert np.array_equal(rewritten, images)


def test_a_file_of_another_count_is_not_taken(tmp_path):
    images, labels = stored(30, 10, seed=0, root=tmp_path)
    (path,) = tmp_path.iterdir()
    np.savez(path, images=images[:20], labels=labels[:20])

    again, _ = stored(30, 10, seed=0, root=tmp_path)

    assert np.array_equal(again, images)


def test_a_root_that_is_no_folder_is_refused_in_a_sentence(tmp_path):
    root = tmp_path / "file"
    root.touch()

    with pytest.raises(ValueError, match=r"data\.root must be a folder in which glyphs can be"):
        stored(10, 10, seed=0, root=root)
