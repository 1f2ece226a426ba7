"""Studies as jobs of a Ray cluster, so that the driver runs there and this machine may leave."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tuner.jobs.driver import driver_of
from tuner.jobs.notes import Job, note_of, remember
from tuner.jobs.parcel import entrypoint, packed
from tuner.storage.directory import StudyDirectory
from tuner.study import StudyConfig

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

ENDED = ("STOPPED", "SUCCEEDED", "FAILED")
STOP_PATIENCE = 120
"""Seconds that Ray leaves a driver between SIGINT and SIGKILL."""
START_PATIENCE = 60.0
OF_RAY = ("Running entrypoint for job", " job_manager.py:")
"""Of the lines that Ray itself writes into a job's log."""
LAST_WORD = 1.0
"""Seconds from what may be a driver's last word to its end."""
AGENT_PATIENCE = 180.0
"""Seconds for a cluster that has just begun to take its first job."""
OVERRIDING = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
"""Variables that Ray's client prefers to the address that it is given."""
NO_AGENT = "No available agent"
UNKNOWN = "status code 404"
LOOK = "look at the cluster with: tuner doctor --address HOST:6379"
AGENT_ADVICE = (
    "no agent on its head, which would start it, has answered for minutes; another Ray on that "
    "machine may hold the agent's port, 52365: start the head with --dashboard-agent-listen-port "
    f"and a free one, or {LOOK}"
)
DIRECTORY = "tuner.directory"
"""Key of a job's metadata."""


def client_of(address: str) -> "JobSubmissionClient":
    """A client of a job server that has just answered.

    Raises:
        ConnectionError: if none answers, or it does not take us; one sentence.
    """
    from ray.job_submission import JobSubmissionClient

    for chatty in ("ray.dashboard.modules.dashboard_sdk", "ray._private.runtime_env.packaging"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        with _without(*OVERRIDING):
            return JobSubmissionClient(address)
    except Exception as error:  # Ray and requests raise their own, one per thing that goes wrong
        first = " ".join(str(error).split()).partition(". ")[0].rstrip(".")[:200]
        raise ConnectionError(
            f"no Ray job server takes us at {address} ({first}); give the address of the head's "
            "dashboard, http://HOST:8265, reachable from here (ssh -L 8265:127.0.0.1:8265 HOST), "
            "whose head has ray[default] installed and the same token"
        ) from error


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Hide variables of the environment."""
    hidden = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


def submit(study: StudyConfig, directory: StudyDirectory, address: str, *, python: str) -> Job:
    """Hand a study over to a cluster.

    Args:
        study: what is asked for.
        directory: where it lives; the head has to see it at the same path.
        address: of the job server, ``http://HOST:8265``.
        python: the interpreter on the head that has the tuner.

    Raises:
        ValueError: if the study is being run.
        ConnectionError: if the job server does not take us.
    """
    client = client_of(address)
    _refuse_a_second(client, directory)
    place, desk = directory.home, None if directory.copy else note_of(directory).parent
    name = f"{study.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    with packed(study) as folder:
        job = _accepted(
            client,
            address,
            entrypoint=entrypoint(python, place, desk and desk / name),
            submission_id=name,
            runtime_env={"working_dir": str(folder), "env_vars": _environment()},
            metadata={"tuner.study": study.name, DIRECTORY: place},
        )
    noted = Job(address, job)
    remember(noted, directory)
    return noted


def _accepted(client: "JobSubmissionClient", address: str, **job: Any) -> str:
    """Hand a job over; a cluster that has just begun has no agent to take it for some seconds."""
    deadline = time.monotonic() + AGENT_PATIENCE
    while True:
        try:
            return str(client.submit_job(**job))
        except RuntimeError as error:
            agentless = NO_AGENT in str(error)
            if not agentless or time.monotonic() > deadline:
                said = AGENT_ADVICE if agentless else f"{error}; {LOOK}"
                raise ConnectionError(
                    f"the job server at {address} does not take the study: {said}"
                ) from error
            time.sleep(1)


def _environment() -> dict[str, str]:
    """Ray would send SIGTERM and kill after 3 s; a study ends cleanly on SIGINT."""
    return {
        "RAY_JOB_STOP_SIGNAL": "SIGINT",
        "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_PATIENCE),
        "PYTHONUNBUFFERED": "1",
    }


def _refuse_a_second(client: "JobSubmissionClient", directory: StudyDirectory) -> None:
    place = directory.home
    for job in client.list_jobs():
        ours = (job.metadata or {}).get(DIRECTORY) == place
        if ours and job.status not in ENDED:
            raise ValueError(
                f"study {directory} is being run as job {job.submission_id}; read along with "
                f"tuner logs {directory}, or stop it with tuner stop {directory}"
            )
    if (driver := driver_of(directory)) is not None:
        raise ValueError(
            f"study {directory} is being run by process {driver}; wait for it, or stop it "
            f"with tuner stop {directory}"
        )


def wait_for_start(job: Job) -> str:
    """Its status once its driver has said something, or after a minute.

    Raises:
        ValueError: if it has failed by then; with its last words.
    """
    client = client_of(job.address)
    deadline = time.monotonic() + START_PATIENCE
    while not words_of(client, job).strip() and time.monotonic() < deadline:
        if status_of(client, job) in ENDED:
            break
        time.sleep(0.5)
    time.sleep(LAST_WORD)
    if (status := status_of(client, job)) == "FAILED":
        last = words_of(client, job).strip().rpartition("\n")[2] or "it said nothing"
        raise ValueError(
            f"the driver of job {job.id} ended at once on the head ({last}); it runs there under "
            "the interpreter that tuner submit --python names, and writes to --directory"
        )
    return status


def words_of(client: "JobSubmissionClient", job: Job) -> str:
    """What a job's driver has said, without what Ray says of it."""
    lines = _answer(job, client.get_job_logs).splitlines(keepends=True)
    return "".join(line for line in lines if not any(words in line for words in OF_RAY))


def stop(job: Job) -> str:
    """Interrupt a job, as Ctrl-C would, and wait until it has ended.

    Returns:
        Its last status.

    Raises:
        ValueError: if the job server knows it no more.
        TimeoutError: if it does not end, not even by Ray's SIGKILL.
    """
    client = client_of(job.address)
    deadline = time.monotonic() + STOP_PATIENCE + 30
    client.stop_job(job.id)
    while (status := status_of(client, job)) not in ENDED:
        if time.monotonic() > deadline:
            raise TimeoutError(f"job {job.id} has not ended; look at it with: tuner logs")
        time.sleep(0.5)
    return status


def status_of(client: "JobSubmissionClient", job: Job) -> str:
    """PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED.

    Raises:
        ValueError: if the job server knows it no more.
        ConnectionError: if it does not answer, or not to the point.
    """
    return str(_answer(job, client.get_job_status).value)


def _answer(job: Job, ask: Callable[[str], Any]) -> Any:
    """What a job server says of a job.

    Raises:
        ValueError: if it does not know it, or knows it no more.
        ConnectionError: if it does not answer, or not to the point.
    """
    try:
        return ask(job.id)
    except (RuntimeError, OSError) as error:  # those of requests are OSErrors
        if UNKNOWN in str(error):
            raise ValueError(
                f"the job server at {job.address} does not know job {job.id}: it has forgotten it, "
                "as a new head does; the study goes on with the same tuner submit"
            ) from error
        raise ConnectionError(
            f"the job server at {job.address} does not answer; job {job.id} may run on without it"
        ) from error
