"""What ``tuner package`` does, from a name to a model card."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tuner.evaluation.target import Foreign, find_target
from tuner.packaging.files import refuse_foreign, write_package
from tuner.packaging.making import Package, make_package
from tuner.study_names import path_at


def package_student(
    checkpoint: str, output: Path | None, formats: Sequence[str], tell: Callable[[str], None]
) -> tuple[Package, Path]:
    """Make a student's programs, check them, and write numbers, config and model card.

    Args:
        checkpoint: a checkpoint.pt, student.safetensors, or a folder that holds one.
        output: folder; None: ``package``, beside the checkpoint.
        formats: among ``FORMATS``.
        tell: shows what is being done.

    Returns:
        The package and its model card, which lies in the package's folder.

    Raises:
        ValueError: if there is no student, it cannot be exported, or a program does not say what
            the student says.
    """
    target = find_target(path_at(checkpoint), Foreign())
    folder = output or target.path.parent / "package"
    refuse_foreign(folder)
    made = make_package(target, formats, folder, tell)
    return made, write_package(made, folder)
