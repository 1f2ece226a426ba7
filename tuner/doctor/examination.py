"""Whether a study can run: on this machine, or on every node of a cluster."""

from dataclasses import dataclass
from pathlib import Path

from trainables.storage.urls import is_url
from tuner.doctor.checks import findings
from tuner.doctor.facts import Facts, Finding, Need
from tuner.doctor.probe import look
from tuner.doctor.services import missing_services, mlflow, optuna_storage
from tuner.doctor.storage import folder_of_studies, nonce_in
from tuner.running.cluster_address import require_inside
from tuner.study import StudyConfig
from tuner.study_file import find_study, load_study
from tuner.study_names import directory_at


@dataclass(frozen=True)
class Patient:
    """What is looked at.

    Attributes:
        study: what it has to be able to run; None for any.
        directory: where that study lives, or would: a path or a URL.
        address: a Ray cluster; None for this machine alone.
        start_ray: start a Ray of our own to look through.
        storage: Optuna's, instead of the study's.
        tracking_uri: MLflow's, instead of the study's.
    """

    study: StudyConfig | None
    directory: str | Path
    address: str | None = None
    start_ray: bool = False
    storage: str | None = None
    tracking_uri: str | None = None


def named(study: str | None, directory: str | None) -> tuple[StudyConfig | None, str | Path]:
    """A study and its directory, from a directory, a URL, a file, or a shipped study's name.

    Raises:
        ValueError: if it is none of these.
    """
    if study is None:
        return None, directory or Path("runs")
    if is_url(study):
        return directory_at(study).study(), study
    if Path(study).is_dir():
        return directory_at(study).study(), Path(study)
    config = load_study(find_study(study))
    return config, directory or Path("runs") / config.name


def examine(patient: Patient) -> list[Finding]:
    """Everything that the doctor has to say, in the order in which one would look."""
    place = folder_of_studies(patient.directory)
    need = Need.of(patient.study, place)
    with nonce_in(place) as nonce:
        seen = look(need.storage, nonce, need.files)
        driver = Facts(name="this machine", **seen)
        if patient.address is None and not patient.start_ray:
            lines = findings([driver], need)
        else:
            lines = examine_cluster(patient.address, driver, need, nonce)
    return [*lines, *services(patient)]


def examine_cluster(address: str | None, driver: Facts, need: Need, nonce: str) -> list[Finding]:
    """The driver, which trains nothing, and every node."""
    import ray

    from tuner.doctor.cluster import Question, authentication, connect, nodes, places

    require_inside(address)
    try:
        connect(address)
    except ConnectionError as error:
        advice = "see that Ray runs there with this version, and that RAY_AUTH_MODE and the token "
        return [*findings([driver], need), Finding("ray", str(error), f"{advice}are the same here")]
    try:
        machines, silent = nodes(Question(need.storage, nonce, need.files))
        idle = driver.without_trials()
        head = [authentication()] if address else []
        return [*head, places(machines, need), *silent, *findings([idle, *machines], need)]
    finally:
        ray.shutdown()


def services(patient: Patient) -> list[Finding]:
    """Databases and servers that the driver writes to."""
    from tuner.tracking.tracker import default_uri

    study = patient.study
    storage = patient.storage or (study.storage if study else None)
    uri = patient.tracking_uri
    if uri is None and study is not None and study.tracking.enabled:
        beside = None if is_url(patient.directory) else default_uri(Path(patient.directory))
        uri = study.tracking.uri or beside
    lines = [optuna_storage(storage), mlflow(uri)]
    if study is None or not is_url(patient.directory):
        return lines
    return missing_services(lines, storage, uri if study.tracking.enabled else "")
