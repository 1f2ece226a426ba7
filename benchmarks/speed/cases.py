"""What is timed: five methods, four students, and the passes that no method can do without."""

from collections.abc import Mapping
from typing import Any, NamedTuple

STEPS = 10
"""Of the attack."""

STUDENTS = {
    "ResNet-18": "cifar_resnet18",
    "MobileNetV2": "cifar_mobilenetv2",
    "WRN-16-2": "wide_resnet_16_2",
    "ViT-tiny/4": "vit_tiny_patch4_32",
}


def architecture_of(student: str) -> str:
    """A name of ``STUDENTS`` stands for its architecture, any other name for itself."""
    return STUDENTS.get(student, student)


class Case(NamedTuple):
    """A method as a trial's settings, and the passes that it needs by its definition."""

    settings: Mapping[str, Any]
    passes: Mapping[str, int]
    """How often each of ``floor.PASSES`` runs in a step."""


METHODS: dict[str, Case] = {
    "PGD-10 AT": Case(
        {"method": {"name": "adversarial_training"}},
        {"student_attack": STEPS, "student_train": 1},
    ),
    "RSLAD": Case(  # the teacher sees x; the student learns at x and at x'
        {"method": {"name": "rslad"}},
        {"student_attack": STEPS, "teacher_forward": 1, "student_train": 2},
    ),
    "AdaAD": Case(  # both are attacked; the teacher's prediction at the last x' is one pass more
        {"method": {"name": "adaad"}},
        {
            "student_attack": STEPS,
            "teacher_attack": STEPS,
            "teacher_forward": 1,
            "student_train": 1,
        },
    ),
    "KDIGA": Case(  # one pass of the teacher gives its logits and its input gradient
        {"method": {"name": "kdiga"}},
        {"teacher_attack": 1, "student_double": 1},
    ),
    "variance gap": Case(  # both networks at x and at x'
        {"method": {"name": "variance_gap"}},
        {"student_attack": STEPS, "teacher_forward": 2, "student_train": 2},
    ),
}
