"""What the doctor holds machines against; the first machine is the driver's own.

A check says for one machine what is wrong, if anything is, and for all of them what is right.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tuner.doctor.facts import Facts, Finding, Need, Problem

DRIVER_ONLY = ("optuna", "mlflow")
MEMORY_PER_TRIAL = 10**9
"""Bytes: an actor with PyTorch, a small student and its teacher; without the images of a GPU."""
SHARED_MEMORY = 256 * 2**20
"""Bytes of Ray's object store as we start it; results of trials are a few numbers."""
FULL = 0.95
"""Used share of a disk above which Ray stores nothing there any more."""
SKEW = 1.0
"""Seconds between clocks, beyond what the round trip leaves open."""


class Check(NamedTuple):
    """One thing to look at on every machine."""

    name: str
    problem: Callable[[Facts, Need, Facts], Problem | None]  # a machine, the need, the driver
    summary: Callable[[Sequence[Facts], Need], str]


def findings(machines: Sequence[Facts], need: Need) -> list[Finding]:
    """Everything that is wrong, a line per machine, and a line per check where nothing is."""
    return [line for check in CHECKS for line in apply(check, machines, need)]


def apply(check: Check, machines: Sequence[Facts], need: Need) -> list[Finding]:
    """One check on all machines."""
    wrong = [
        Finding(check.name, f"{machine.name}: {problem.wrong}", problem.remedy)
        for machine in machines
        if (problem := check.problem(machine, need, machines[0]))
    ]
    return wrong or [Finding(check.name, check.summary(machines, need))]


def versions(machine: Facts, _: Need, driver: Facts) -> Problem | None:
    """The driver has everything, a node what trains, and all of the same versions."""
    needed = [p for p in machine.versions if machine is driver or p not in DRIVER_ONLY]
    remedy = "install the project there as on the driver: pip install -c constraints.txt"
    if absent := [p for p in needed if not machine.versions[p]]:
        return Problem(f"lacks {', '.join(absent)}", remedy)
    if minor(machine.python) != minor(driver.python):
        return Problem(
            f"has Python {machine.python}, the driver {driver.python}",
            "use the same Python there; Ray takes no other",
        )
    other = [
        f"{package} {machine.versions[package]} (driver: {driver.versions[package]})"
        for package in needed
        if public(machine.versions[package]) != public(driver.versions[package])
    ]
    return Problem(f"has {', '.join(other)}", remedy) if other else None


def minor(python: str) -> str:
    """``3.11`` of ``3.11.7``."""
    return ".".join(python.split(".")[:2])


def public(version: str) -> str:
    """Without the build: ``2.15.0`` of ``2.15.0+cpu``."""
    return version.partition("+")[0]


def versions_summary(machines: Sequence[Facts], _: Need) -> str:
    """Those of the driver."""
    driver = machines[0]
    listed = ", ".join(f"{package} {version}" for package, version in driver.versions.items())
    return f"Python {driver.python}, {listed}{agreeing(machines)}"


def code(machine: Facts, _: Need, driver: Facts) -> Problem | None:
    """The same source files everywhere; a version number does not see a changed line."""
    if machine.code == driver.code:
        return None
    return Problem(
        f"has other code of ours ({machine.code or 'none'}) than the driver ({driver.code})",
        "bring it to the same commit, then start Ray there again",
    )


def gpus(machine: Facts, _: Need, __: Facts) -> Problem | None:
    """PyTorch sees what Ray lends."""
    if machine.gpu_problem:
        return Problem(
            f"PyTorch cannot look for GPUs: {machine.gpu_problem}",
            "reinstall torch there, or its driver",
        )
    lent = machine.ray_gpus or 0
    if machine.gpus >= lent:
        return None
    return Problem(
        f"Ray lends {lent:g} GPUs, PyTorch {machine.versions['torch']} sees {machine.gpus}",
        "install the GPU's driver and a torch wheel of its CUDA, or start Ray there with "
        f"--num-gpus {machine.gpus}",
    )


def gpus_summary(machines: Sequence[Facts], need: Need) -> str:
    """What there is, or that nothing asks for it."""
    with_some = [m for m in machines if m.gpus]
    if not with_some:
        return "none, and none is asked for" if not need.resources.gpus else "none seen"
    shown = [
        f"{m.name} {m.gpus} ({m.driver or 'driver unknown'}, CUDA {m.cuda})" for m in with_some
    ]
    return "; ".join(shown)


def memory(machine: Facts, need: Need, _: Facts) -> Problem | None:
    """A trial's worth for every trial that runs there at once."""
    places = trials_at_once(machine, need)
    if machine.memory >= places * MEMORY_PER_TRIAL:
        return None
    return Problem(
        f"{gigabytes(machine.memory)} of memory free; trials at once there: {places}, of about "
        f"{gigabytes(MEMORY_PER_TRIAL)} each",
        "end other programs there, or lower resources.max_concurrent",
    )


def trials_at_once(machine: Facts, need: Need) -> int:
    """At least one: somewhere the study's teachers are trained."""
    return max(1, min(need.resources.max_concurrent, machine.places(need.resources)))


def memory_summary(machines: Sequence[Facts], _: Need) -> str:
    """The scarcest."""
    least = min(machines, key=lambda machine: machine.memory)
    return f"{gigabytes(least.memory)} free{at_least_on(least, machines)}"


def shared_memory(machine: Facts, _: Need, __: Facts) -> Problem | None:
    """Room for Ray's object store; in a container, 64 MB are usual."""
    if machine.shared_memory is None or machine.shared_memory >= SHARED_MEMORY:
        return None
    return Problem(
        f"/dev/shm has {gigabytes(machine.shared_memory)} free, Ray uses "
        f"{gigabytes(SHARED_MEMORY)}",
        "start the container with --shm-size=1g, or remove what lies in /dev/shm",
    )


def shared_memory_summary(machines: Sequence[Facts], _: Need) -> str:
    """The scarcest."""
    known = [machine for machine in machines if machine.shared_memory is not None]
    if not known:
        return "/dev/shm is not used on this system"
    least = min(known, key=lambda machine: machine.shared_memory or 0)
    return f"/dev/shm {gigabytes(least.shared_memory or 0)} free{at_least_on(least, machines)}"


def disk(machine: Facts, need: Need, _: Facts) -> Problem | None:
    """Room for the study, and for Ray."""
    needed = need.resources.min_free_disk_gb * 1e9
    if machine.disk < needed:
        return Problem(
            f"{need.room_for} has {gigabytes(machine.disk)} free, the study needs "
            f"{gigabytes(needed)}",
            "free some, or choose another directory",
        )
    if machine.temporary_used > FULL:
        return Problem(
            f"/tmp is {machine.temporary_used:.0%} full, and above {FULL:.0%} Ray stops storing",
            "free some, or start Ray with --temp-dir on another disk",
        )
    return None


def disk_summary(machines: Sequence[Facts], need: Need) -> str:
    """The scarcest."""
    least = min(machines, key=lambda machine: machine.disk)
    return f"{gigabytes(least.disk)} free for {need.room_for}{at_least_on(least, machines)}"


def storage(machine: Facts, need: Need, driver: Facts) -> Problem | None:
    """The same folder everywhere, and everybody may write."""
    if not machine.storage_problem:
        return None
    remedy = (
        "see that the store runs, is reached from there, and takes that machine's credentials"
        if "://" in need.storage
        else "make it writable, or choose another --directory"
        if machine is driver
        else "give a --directory that all nodes have at the same path, writable (NFS, Lustre, a "
        "shared volume), or a URL"
    )
    return Problem(f"{need.storage}: {machine.storage_problem}", remedy)


def storage_summary(machines: Sequence[Facts], need: Need) -> str:
    """Where it is, and who sees it."""
    if len(machines) == 1:
        return f"{need.storage} can be written"
    return f"{need.storage} is the same folder for all {len(machines)}, and all write there"


def data(machine: Facts, need: Need, _: Facts) -> Problem | None:
    """Files that the data set is read from, unless the study fetches them itself."""
    absent = [file for file in need.data_files if file in machine.missing]
    if not absent or fetched(need):
        return None
    return Problem(
        f"data set {need.data.name!r} is not there: no {', '.join(absent)}",
        "put it there, at the same path on every node",
    )


def fetched(need: Need) -> bool:
    """Whether the study downloads what is missing."""
    return need.data.path is None and need.data.extra is None and need.data.loading.download


def data_summary(machines: Sequence[Facts], need: Need) -> str:
    """That it is there, or will be."""
    if not need.data_files:
        return f"{need.data.name} needs no files"
    without = [m.name for m in machines if set(need.data_files) & set(m.missing)]
    if without:
        return f"{need.data.name} is downloaded when a trial needs it, by {', '.join(without)}"
    return f"{need.data.name} is there: {', '.join(need.data_files)}"


def teachers(machine: Facts, need: Need, _: Facts) -> Problem | None:
    """Checkpoints that teachers are loaded from."""
    absent = [file for file in need.teacher_files if file in machine.missing]
    if not absent:
        return None
    return Problem(
        f"no teacher at {', '.join(absent)}",
        "put it there, at the same absolute path on every node; tuner teachers says where public "
        "ones come from",
    )


def teachers_summary(_: Sequence[Facts], need: Need) -> str:
    """How many come from files."""
    files = need.teacher_files
    trained = sum(not teacher.from_file for teacher in need.teachers)
    if not need.teachers:
        return "none is asked for"
    return f"{len(files)} from files, all there; {trained} trained once by the study"


def clock(machine: Facts, _: Need, driver: Facts) -> Problem | None:
    """The driver's time, as far as the round trip tells."""
    if abs(machine.skew) - machine.skew_known_to <= SKEW:
        return None
    word = "ahead of" if machine.skew > 0 else "behind"
    return Problem(
        f"its clock is {abs(machine.skew):.1f} s {word} that of {driver.name} "
        f"(known to {machine.skew_known_to:.3f} s)",
        "let a time service run there (chrony, systemd-timesyncd)",
    )


def clock_summary(machines: Sequence[Facts], _: Need) -> str:
    """The largest difference."""
    if len(machines) == 1:
        return "one clock"
    worst = max(machines[1:], key=lambda machine: abs(machine.skew))
    return f"within {abs(worst.skew):.3f} s of the driver's, known to {worst.skew_known_to:.3f} s"


def gigabytes(size: float) -> str:
    """``1.25 GB`` of 10^9 bytes."""
    return f"{size / 1e9:.3g} GB"


def agreeing(machines: Sequence[Facts]) -> str:
    """A clause for more than one machine."""
    return f"; the same on all {len(machines)}" if len(machines) > 1 else ""


def at_least_on(least: Facts, machines: Sequence[Facts]) -> str:
    """A clause for more than one machine."""
    return f" on {least.name}, more elsewhere" if len(machines) > 1 else ""


CHECKS = (
    Check("versions", versions, versions_summary),
    Check("code", code, lambda machines, _: f"{machines[0].code}{agreeing(machines)}"),
    Check("gpus", gpus, gpus_summary),
    Check("memory", memory, memory_summary),
    Check("shared memory", shared_memory, shared_memory_summary),
    Check("disk", disk, disk_summary),
    Check("storage", storage, storage_summary),
    Check("data", data, data_summary),
    Check("teachers", teachers, teachers_summary),
    Check("clock", clock, clock_summary),
)
