"""What a study would do, without doing it."""

from collections.abc import Iterator
from pathlib import Path

import optuna
from rich.console import Console
from rich.table import Table

from trainables.alignments import ALIGNMENTS
from trainables.config import TrialConfig
from trainables.machine.hardware import in_words
from trainables.teachers import check_pair
from tuner.plain_yaml import yaml_text
from tuner.records import SYMBOLS
from tuner.running.runner import check_teachers
from tuner.search.proposals import Proposal, check_space
from tuner.search.proposer import Proposer
from tuner.search.students import choose_students, describe_removed, narrowed
from tuner.search.warm_start import load_earlier
from tuner.storage.directory import StudyDirectory
from tuner.storage.driving import check_services
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig

SHOWN = 12


def preview(study: StudyConfig, directory: StudyDirectory, console: Console) -> None:
    """Print the resolved study and the first trials it would run; neither Ray nor disk is touched.

    Raises:
        ValueError: if the study would be refused.
    """
    check_space(study)
    check_services(study, directory)
    students = choose_students(study)
    check_teachers(study, directory.teachers)
    study = narrowed(study, students)
    # before anything is printed: both may refuse
    proposals, hardware = check_first_trials(study), in_words(study.base.hardware)
    text = yaml_text(study.model_dump(mode="json"))
    console.print(text, markup=False, soft_wrap=True)
    console.print(f"hardware on this machine: {hardware}")
    for line in describe_removed(students):
        console.print(line, soft_wrap=True)
    table = Table(
        title=f"the first {len(proposals)} of {study.trials} trials", box=None, padding=(0, 2)
    )
    for column in ("trial", "label", "teacher > student", "method", *SYMBOLS):
        table.add_column(column)
    for number, proposal in enumerate(proposals):
        method = proposal.config.method_name
        table.add_row(str(number), proposal.label, _pair(proposal), method, *_weights(proposal))
    console.print(table)
    console.print(f"{epochs(study)} training epochs in all; run it without --dry-run")


def check_first_trials(study: StudyConfig) -> list[Proposal]:
    """What would be tried first, if student and teacher go together in each.

    Raises:
        ValueError: if they do not in one.
    """
    proposals = list(first_proposals(study, min(SHOWN, study.trials)))
    pairs = {_asked_of_the_pair(proposal.config): proposal.config for proposal in proposals}
    for config in pairs.values():
        check_pair(config)
    return proposals


def _asked_of_the_pair(trial: TrialConfig) -> str:
    """Equal for trials of which :func:`check_pair` says the same."""
    layers = [term.layers for term in trial.alignments.active().values()]
    return f"{trial.student} {trial.teacher} {layers}"


def first_proposals(study: StudyConfig, number: int) -> Iterator[Proposal]:
    """What would be tried first if nothing were learned meanwhile."""
    memory = Ledger(study, Path(), optuna.storages.InMemoryStorage())
    proposer = Proposer(study, first=load_earlier(study).first)
    for _ in range(number):
        proposal = proposer.next()
        yield proposal
        record = memory.enter(proposal)
        proposer.enter(record, memory.trial(record.number))


def epochs(study: StudyConfig) -> int:
    """Training epochs of the whole study: trials and teachers."""
    teachers = filter(None, [*study.teachers.values(), study.base.clean_teacher])
    trained = [one for teacher in teachers for one in teacher.trained_here()]
    return study.trials * study.base.epochs + sum(one.training.epochs for one in trained)


def _pair(proposal: Proposal) -> str:
    student = proposal.config.student.architecture
    return f"{proposal.teacher} > {student}" if proposal.teacher else student


def _weights(proposal: Proposal) -> list[str]:
    terms = proposal.config.alignments.active()
    return [f"{terms[name].weight:.3g}" if name in terms else "-" for name in ALIGNMENTS]
