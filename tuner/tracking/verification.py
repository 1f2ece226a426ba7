"""Verified numbers in MLflow: as metrics of the trials' runs, as files of the study's."""

from datetime import datetime

from tuner.storage.directory import StudyDirectory
from tuner.tracking.client import Metric, MlflowClient, MlflowException, connect, unreachable
from tuner.tracking.diagnosis import exists, find_run
from tuner.tracking.tracker import default_uri
from tuner.verification.measured import FOLDER, Verification, VerifiedMember
from tuner.verification.table import columns, verdict

FILES = ("verification.json", "verification.csv", "verification.png")
VERIFIED = "tuner.verified"


def log_verification(found: Verification, directory: StudyDirectory, uri: str | None = None) -> int:
    """Write ``test/…`` metrics to the members' runs, ``verification/`` and report to the study's.

    Args:
        found: the verification.
        directory: the study's.
        uri: where MLflow is; None: where the study is tracked, if it is.

    Returns:
        How many trials have them now; 0 where the study is not in MLflow. No run is created.

    Raises:
        ConnectionError: if MLflow does not answer.
    """
    tracking = directory.study().tracking
    if uri is None and not tracking.enabled:
        return 0
    uri = uri or tracking.uri or default_uri(directory.path)
    if not exists(uri):
        return 0
    client = connect(uri)
    try:
        parent = find_run(client, directory, None)
        if parent is None:
            return 0
        for name in FILES:
            client.log_artifact(parent, str(directory.path / FOLDER / name), FOLDER)
        if directory.report.is_file():
            client.log_artifact(parent, str(directory.report))
        return sum(_log_member(client, found, member, directory) for member in found.measured)
    except (MlflowException, OSError) as error:
        raise ConnectionError(unreachable(uri, error)) from error


def _log_member(
    client: MlflowClient, found: Verification, member: VerifiedMember, directory: StudyDirectory
) -> bool:
    """Whether the trial has a run; what it holds of this very verification is not sent again."""
    run = find_run(client, directory, member.trial)
    if run is None:
        return False
    moment = int(1000 * datetime.fromisoformat(found.created).timestamp())
    if client.get_run(run).data.tags.get(VERIFIED) == found.created:
        return True
    metrics = [
        Metric(name, member.estimate(*place).mean, timestamp=moment, step=member.config["epochs"])
        for name, place in columns(found).items()
    ]
    client.log_batch(run, metrics=metrics)
    client.set_tag(run, "tuner.verdict", verdict(found, member))
    client.set_tag(run, VERIFIED, found.created)
    return True
