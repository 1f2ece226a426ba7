"""What is said before a verification takes the place of another one."""

import dataclasses

import pytest
from make_verification import IMAGES, make_member, make_verification, study_of

from trainables.measuring.attack_text import parse_attack
from tuner.storage.directory import StudyDirectory
from tuner.verification.plan import Asked, make_plan
from tuner.verification.session import on_replacing

ASKED = Asked(2, parse_attack("autoattack"), None, 5, None, gates=True, seed=0)
MORE, LESS = IMAGES + 1, IMAGES - 1


@pytest.fixture
def warning(tmp_path):
    """``warning(seeds=1)``: what is said when that follows two seeds and AutoAttack."""
    results = study_of((0.9, 0.4))
    earlier = make_verification(results, make_member(results, 0, (270, 120)))

    def said(images=IMAGES, **changes):
        place, asked = StudyDirectory(tmp_path), dataclasses.replace(ASKED, **changes)
        plan = dataclasses.replace(make_plan(results, place, asked), num_images=images)
        return on_replacing(earlier, plan)

    return said


@pytest.mark.parametrize("changes", [{}, {"seeds": 3}, {"images": MORE}, {"neighbours": 0}])
def test_as_much_or_more_under_the_same_attack_takes_a_results_place_in_silence(warning, changes):
    assert warning(**changes) == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": 1},
        {"images": LESS},
        {"attack": parse_attack("apgd-ce")},
        {"epsilons": (0.3,)},
        {"gates": False},
    ],
)
def test_what_says_less_or_something_else_says_so_before_it_begins(warning, changes):
    said = warning(**changes)

    assert "so far (on 300 test images, with 2 seeds, under AutoAttack (standard))" in said
    assert said.endswith("the same options show it again\n")
