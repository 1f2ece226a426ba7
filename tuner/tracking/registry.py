"""Front members in MLflow's model registry: a version per trial, aliases that move."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from trainables.redaction import without_secrets
from tuner.analysis.picks import NAMES
from tuner.analysis.results import Results
from tuner.quantities import attack_name, measured
from tuner.records import TrialRecord
from tuner.storage.directory import StudyDirectory
from tuner.tracking.client import (
    LoggedModel,
    MlflowClient,
    MlflowException,
    ModelVersion,
    connect,
    is_passing,
    unreachable,
)
from tuner.tracking.diagnosis import find_run
from tuner.tracking.models import TAG, log_model, mark_front
from tuner.tracking.study import MlflowStudy
from tuner.tracking.tracker import default_uri
from tuner.tracking.uploads import ArtifactsRefusedError
from tuner.verification.measured import load_verification
from tuner.verification.picks import Numbers, Pick, choose

ALIASES = {"knee": "knee", "max-robust": "best-robust", "max-clean": "best-clean"}
"""What a pick's version is called; other picks get a version without a name of its own."""

VERSIONS = "mlflow.modelVersions"
"""Of a logged model: where MLflow's page of it finds its versions."""

PICKED_ON = "tuner.picked_on"
"""Of a version: the numbers that it was last picked on."""

NO_REGISTRY = {"ENDPOINT_NOT_FOUND", "FEATURE_DISABLED", "NOT_IMPLEMENTED"}


@dataclass(frozen=True)
class Registered:
    """A version, and the picks that it stands for.

    Attributes:
        trial: number of the trial.
        version: of the registered model.
        aliases: what it is called from now on.
        is_new: whether it was not registered before.
        picked_on: the numbers that it was picked on, with their attack and n.
    """

    trial: int
    version: str
    aliases: tuple[str, ...]
    is_new: bool
    picked_on: str


@dataclass(frozen=True)
class _Chosen:
    pick: Pick
    aliases: tuple[str, ...]


def usual_picks(results: Results) -> list[str]:
    """The picks with an alias that the study's objectives allow."""
    return [
        pick
        for pick in ALIASES
        if pick == "knee" or NAMES[pick.removeprefix("max-")] in results.metrics
    ]


def register(
    results: Results,
    directory: StudyDirectory,
    name: str,
    picks: Sequence[str],
    *,
    on: Numbers | None = None,
) -> list[Registered]:
    """Register the models of some trials; what is registered already gets its aliases.

    Args:
        results: the study.
        directory: its directory.
        name: the registered model; made if it is not there.
        picks: see ``picks.pick``.
        on: the numbers to pick on; None: verified ones, if there are any.

    Returns:
        One entry per trial, in the order of the picks.

    Raises:
        ValueError: if a pick fits no trial, a trial has no model, or the name is not allowed.
        ConnectionError: if MLflow does not answer, has no registry or takes no files.
    """
    if {"'", '"'} & set(name):  # MLflow would create it and never find it again
        raise ValueError(f"--name must be without quotation marks, got {name}")
    uri = results.study.tracking.uri or default_uri(directory.path)
    chosen = _chosen(results, directory, picks, on)
    client = connect(uri)
    try:
        models = [_model(client, directory, results, each.pick.record) for each in chosen]
        _require_registry(client, name, uri)
        return [
            _register(client, each, name, model) for each, model in zip(chosen, models, strict=True)
        ]
    except ArtifactsRefusedError as error:
        raise ConnectionError(str(error)) from error
    except MlflowException as error:
        if is_passing(error):
            raise ConnectionError(unreachable(uri, error)) from error
        raise ValueError(f"MLflow at {uri} refuses model {name!r}: {error.message}") from error


def _chosen(
    results: Results, directory: StudyDirectory, picks: Sequence[str], on: Numbers | None
) -> list[_Chosen]:
    """The trials that are picked, each once."""
    found = load_verification(directory.path)
    chosen: dict[int, _Chosen] = {}
    for which in picks:
        pick = choose(results, which, found, on)
        before = chosen.get(pick.record.number, _Chosen(pick, ()))
        aliases = (*before.aliases, *(ALIASES[name] for name in [which] if name in ALIASES))
        chosen[pick.record.number] = _Chosen(before.pick, aliases)
    return list(chosen.values())


def _model(
    client: MlflowClient, directory: StudyDirectory, results: Results, record: TrialRecord
) -> LoggedModel:
    """The trial's logged model; made now where the trial is not on the front."""
    run_id = find_run(client, directory, record.number)
    model_id = client.get_run(run_id).data.tags.get(TAG) if run_id else None
    if run_id and model_id is None and results.ranks.get(record.number) != 0:
        study = MlflowStudy(client, results.study, directory.path)
        log_model(study, record)
        mark_front(study, {member.number for member in results.front})
        model_id = client.get_run(run_id).data.tags.get(TAG)
    if model_id is None:
        place = without_secrets(client.tracking_uri)
        raise ValueError(
            f"trial {record.number} has no logged model in MLflow at {place}; a "
            f"trial whose checkpoint is there gets one by: tuner sync {directory}"
        )
    return client.get_logged_model(model_id)


def _require_registry(client: MlflowClient, name: str, uri: str) -> None:
    """Have the registered model.

    Raises:
        ConnectionError: if this MLflow keeps no models.
    """
    try:
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code in NO_REGISTRY:
            raise ConnectionError(
                f"MLflow at {uri} has no model registry; give one with tracking.uri in the study "
                "file, such as an mlflow server with a database"
            ) from error
        raise


def _register(client: MlflowClient, chosen: _Chosen, name: str, model: LoggedModel) -> Registered:
    record = chosen.pick.record
    found = client.search_model_versions(f"name = '{name}'")
    before = [version for version in found if version.run_id == model.source_run_id]
    version = before[0] if before else _create(client, record, name, model)
    client.set_model_version_tag(name, version.version, PICKED_ON, chosen.pick.sentence)
    for alias in chosen.aliases:
        client.set_registered_model_alias(name, alias, version.version)
    own = str(version.version)
    return Registered(record.number, own, chosen.aliases, not before, chosen.pick.sentence)


def _create(
    client: MlflowClient, record: TrialRecord, name: str, model: LoggedModel
) -> ModelVersion:
    version = client.create_model_version(
        name,
        str(model.artifact_location),
        run_id=model.source_run_id,
        model_id=model.model_id,
        tags=_tags(record, model),
        description=_description(record, model),
        await_creation_for=0,  # its files are there
    )
    listed = json.loads(model.tags.get(VERSIONS, "[]"))
    listed.append({"name": name, "version": version.version})
    client.set_logged_model_tags(model.model_id, {VERSIONS: json.dumps(listed)})
    return version


def _tags(record: TrialRecord, model: LoggedModel) -> dict[str, str]:
    kept = ("tuner.study", "tuner.trial", "tuner.pair", "tuner.attack", "tuner.input")
    commit = "mlflow.source.git.commit"
    values = {metric: f"{value:.6g}" for metric, value in record.values.items()}
    known = {key: model.tags[key] for key in (*kept, commit) if key in model.tags}
    return {**known, **values, TAG: str(model.model_id)}


def _description(record: TrialRecord, model: LoggedModel) -> str:
    seeds = f" (means of {record.replicates} seeds)" if record.replicates > 1 else ""
    return (
        f"Trial {record.number} of study {model.tags['tuner.study']}: {record.pair}. "
        f"On the validation split {measured(record.values)}{seeds}, "
        f"under {attack_name(record.config)}. "
        "Takes float32 images (batch, channels, height, width) in [0, 1], gives logits."
    )
