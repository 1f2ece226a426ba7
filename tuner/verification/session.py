"""One session of ``tuner verify``: claim the study, measure what is missing, write it all down."""

import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from rich.console import Console

from tuner.running.cluster_address import require_inside
from tuner.running.runner import prepare_teachers, ray_session
from tuner.showing import results_of
from tuner.storage.directory import StudyDirectory
from tuner.storage.lease import Lease
from tuner.study import StudyConfig
from tuner.verification.files import write_files
from tuner.verification.measured import FOLDER, Verification, VerifiedRun, load_verification
from tuner.verification.members import Role
from tuner.verification.plan import Asked, Outcomes, Plan, already, assemble, make_plan
from tuner.verification.running import VerificationProgress, run_students

ROLES: dict[Role, str] = {
    "front": "on the front",
    "neighbour": "within noise of it",
    "baseline": "beaten baselines",
}


def verify(
    directory: StudyDirectory, asked: Asked, console: Console, address: str | None
) -> Verification:
    """Measure the front again, from wherever an earlier attempt stopped; writes the result.

    Raises:
        ValueError: if there is nothing to verify, another process is at it, or the cluster cannot
            be joined from here.
    """
    require_inside(address)
    if directory.copy and address is not None:
        raise ValueError(
            f"a study at a URL ({directory}) is verified on this machine, got --address {address}; "
            "leave it out, or run tuner verify on a machine of the cluster"
        )
    plan = make_plan(results_of(directory), directory, asked)
    with locked(directory), alone_at_url(directory, plan.study):
        before = already(plan)
        announce(plan, before, console)
        console.print(_on_replacing(directory, plan), end="", soft_wrap=True, style="yellow")
        outcomes = {**before, **_run_missing(plan, before, directory, console, address=address)}
        found = assemble(plan, outcomes)
        write_files(found, directory.path / FOLDER)
    return found


def announce(plan: Plan, before: Outcomes, console: Console) -> None:
    """Say what will be done, before it costs anything."""
    counts = Counter(candidate.role for candidate in plan.candidates)
    roles = ", ".join(f"{counts[role]} {words}" for role, words in ROLES.items())
    radii = ", ".join(f"{threat.epsilon:.4g}" for threat in plan.request.threats)
    console.print(
        f"{len(plan.candidates)} configs ({roles}) x {plan.asked.seeds} "
        f"{'seed' if plan.asked.seeds == 1 else 'seeds'} = "
        f"{len(plan.students)} students: {len(plan.to_train)} not trained in the study, "
        f"{len(before)} measured before",
        soft_wrap=True,
    )
    console.print(
        f"each on {plan.num_images:,} test images under {plan.asked.attack.name} at "
        f"{plan.request.threats[0].norm} epsilon {radii}",
        soft_wrap=True,
    )


def _on_replacing(directory: StudyDirectory, plan: Plan) -> str:
    try:
        earlier = load_verification(directory.path)
    except ValueError:  # of another version, or damaged: it is made anew
        return ""
    return on_replacing(earlier, plan) if earlier else ""


def on_replacing(earlier: Verification, plan: Plan) -> str:
    """A line where the result that is shown so far gives way to one that says less, or else.

    Returns:
        It, with its end; empty if the new one has the same attack and at least as much of it.
    """
    asked, radii = plan.asked, {threat.epsilon for threat in plan.request.threats}
    gates = any(run.verdict for member in earlier.members for run in member.runs)
    if (
        earlier.attack == asked.attack.key
        and earlier.seeds <= asked.seeds
        and earlier.images <= plan.num_images
        and gates <= asked.gates
        and radii.issuperset(earlier.epsilons)
    ):
        return ""
    return (
        "warning: this takes the place of the front that was verified so far (on "
        f"{earlier.images:,} test images, with {earlier.seeds} "
        f"{'seed' if earlier.seeds == 1 else 'seeds'}, under {earlier.attack_name}), for picks "
        "too; what was measured then is kept, and the same options show it again\n"
    )


def _run_missing(
    plan: Plan,
    before: Outcomes,
    directory: StudyDirectory,
    console: Console,
    *,
    address: str | None,
) -> Outcomes:
    students = [s for s in plan.students if (s.member, s.seed) not in before]
    if not students:
        return {}
    resources = plan.study.resources
    progress = VerificationProgress(
        console,
        len(plan.students),
        [run.seconds for run in before.values() if isinstance(run, VerifiedRun)],
        at_once=resources.max_concurrent,
        key=plan.asked.attack.key,
    )
    console.print(f"starting Ray; {progress.time_left()}")
    with ray_session(resources, address):
        if any(student.trial is None for student in students):
            prepare_teachers(plan.study, directory.teachers_home)
        with progress:
            return run_students(students, plan.request, resources, progress)


def alone_at_url(directory: StudyDirectory, study: StudyConfig) -> AbstractContextManager[object]:
    """Keep verifications on other machines out, too, of a study at a URL."""
    if directory.copy is None or study.storage is None:
        return nullcontext()
    return Lease(study.storage, f"{study.name} (verification)")


@contextmanager
def locked(directory: StudyDirectory) -> Iterator[None]:
    """Keep every other verification of the study out.

    Raises:
        ValueError: if one is at work.
    """
    folder = directory.path / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise ValueError(
                f"study {directory} is being verified by process {file.read() or 'unknown'}; "
                "wait for it or stop it first"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
