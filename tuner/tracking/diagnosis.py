"""A diagnosis among the artifacts of the MLflow run that it belongs to."""

from pathlib import Path

from tuner.storage.directory import StudyDirectory
from tuner.tracking.client import SQLITE, MlflowClient, MlflowException, connect, unreachable
from tuner.tracking.tracker import default_uri


def upload(directory: StudyDirectory, files: Path, trial: int | None) -> str | None:
    """Put a folder of files as ``diagnosis/`` among the artifacts of a study or of a trial.

    Args:
        directory: the study's.
        files: the folder.
        trial: number of the trial; None: the study's own run.

    Returns:
        The run's id; None if the study is not in MLflow. Nothing is created then.

    Raises:
        ConnectionError: if MLflow does not answer.
    """
    study = directory.study()
    uri = study.tracking.uri or default_uri(directory.path)
    if not study.tracking.enabled or not exists(uri):
        return None
    client = connect(uri)
    try:
        run = find_run(client, directory, trial)
        if run is not None:
            client.log_artifacts(run, str(files), "diagnosis")
    except (MlflowException, OSError) as error:
        raise ConnectionError(unreachable(uri, error)) from error
    return run


def exists(uri: str) -> bool:
    """Whether there may be an MLflow: a server, or a database that is already there."""
    return not uri.startswith(SQLITE) or Path(uri.removeprefix(SQLITE)).is_file()


def find_run(client: MlflowClient, directory: StudyDirectory, trial: int | None) -> str | None:
    """The id of a study's run, or of one of its trials'; None where MLflow does not know it."""
    study = directory.study()
    experiment = client.get_experiment_by_name(study.tracking.experiment or study.name)
    if experiment is None:
        return None
    place = [experiment.experiment_id]
    studies = client.search_runs(
        place, f"tags.`tuner.study` = '{study.name}' AND tags.`tuner.directory` != ''"
    )
    own = str(directory.path.resolve())  # compared here: a path may hold what a filter cannot
    parents = [run.info.run_id for run in studies if run.data.tags["tuner.directory"] == own]
    if not parents or trial is None:
        return str(parents[0]) if parents else None
    condition = f"tags.`mlflow.parentRunId` = '{parents[0]}' AND tags.`tuner.trial` = '{trial}'"
    found = client.search_runs(place, condition, max_results=1)
    return str(found[0].info.run_id) if found else None
