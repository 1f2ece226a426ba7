import re

import pytest

from trainables.measuring.attack_text import PRESETS, parse_attack
from trainables.measuring.autoattack import AutoAttack
from trainables.measuring.named_attacks import NAMED_ATTACKS, NamedAttack


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_is_known_by_its_name(name):
    assert parse_attack(name) == PRESETS[name]


@pytest.mark.parametrize(
    ("text", "attack"),
    [
        (
            "pgd:loss=margin,steps=50,step=2/255,start=uniform,restarts=2",
            NamedAttack(loss="margin", steps=50, step=2 / 255, start="uniform", restarts=2),
        ),
        ("pgd: loss=ce , step=0.25eps", NamedAttack(step=0.25, step_unit="epsilon")),
        (
            "pgd20_relative:restarts=5",
            NAMED_ATTACKS["pgd20_relative"].model_copy(update={"restarts": 5}),
        ),
        ("autoattack:queries=500", AutoAttack(square_queries=500)),
        ("apgd-t", AutoAttack(parts=("apgd-t",))),
    ],
)
def test_parameters_are_replaced_after_a_colon(text, attack):
    assert parse_attack(text) == attack


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pgd2", "did you mean 'pgd20'?"),
        ("autoatack", "did you mean 'autoattack'?"),
        ("", "unknown attack ''"),
        ("pgd:los=ce", "did you mean 'loss'?"),
        ("pgd:steps", "write key=value"),
        ("pgd:steps=", "write key=value"),
        ("pgd:steps=0", "steps must be greater than or equal to 1, got '0'"),
        ("pgd:loss=foo", "loss must be 'cross_entropy', 'margin' or 'kl', got 'foo'"),
        ("pgd:step=0", "step must be greater than 0"),
        ("pgd:step=nan", "is no length"),
        ("pgd:loss=kl,start=none", "cannot leave start 'none'"),
        ("square:steps=3", "unknown parameter 'steps'"),
    ],
)
def test_what_is_no_attack_is_one_sentence(text, words):
    with pytest.raises(ValueError, match=re.escape(words)) as refused:
        parse_attack(text)

    assert "\n" not in str(refused.value)
