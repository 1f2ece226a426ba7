"""Running a study to its end, from wherever it stands."""

import gc
import logging
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import ray
from ray import tune
from ray.exceptions import RayTaskError
from ray.tune.execution.class_cache import ENV_VARS_TO_PROPAGATE
from ray.tune.experiment import Trial

from trainables.config import TeacherConfig, TrialConfig
from trainables.storage.places import fetch_teacher, prepare_teacher_at
from trainables.teachers import PreparedTeacher, check_teacher, prepare_teacher, teacher_path
from trainables.trainable import DistillationTrainable
from trainables.workers.own_ray import closed_to_others
from tuner.running.placement import placement, require, waiting_for
from tuner.running.progress import Progress, ProgressCallback
from tuner.running.recorder import Recorder, Watcher
from tuner.search.scheduler import LedgerScheduler
from tuner.search.search import Search
from tuner.search.searcher import LedgerSearcher
from tuner.storage.directory import StudyDirectory
from tuner.study import ResourcesConfig, StudyConfig


def teachers_to_prepare(study: StudyConfig) -> dict[str, TrialConfig]:
    """A trial per teacher of the study, under the base's data and threat model."""
    teachers: dict[str, TeacherConfig] = dict(study.teachers)
    if study.base.clean_teacher is not None:
        teachers["clean teacher"] = study.base.clean_teacher
    return {
        name: study.base.model_copy(update={"teacher": teacher})
        for name, teacher in teachers.items()
    }


def check_teachers(study: StudyConfig, directory: Path) -> None:
    """See that every checkpoint named can be read and fits the data, before anything starts.

    Raises:
        ValueError: naming the first that cannot.
    """
    for config in teachers_to_prepare(study).values():
        if not teacher_path(config, directory).is_file():  # what is there was checked before
            check_teacher(config)


@contextmanager
def ray_session(resources: ResourcesConfig, address: str | None) -> Iterator[None]:
    """A Ray of our own, or the one at ``address``; shut down or left at the end.

    Without an address Ray would join any cluster that it finds on the machine.

    Raises:
        ValueError: if trials ask for more than our own Ray has.
    """
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    own = address is None
    wanted = math.ceil(resources.max_concurrent * resources.workers * resources.cpus)
    with closed_to_others(ray) if own else nullcontext():
        ray.init(
            address=address or "local",
            num_cpus=max(os.cpu_count() or 1, wanted) if own else None,
            object_store_memory=256 * 2**20 if own else None,  # results are a few numbers
            include_dashboard=False if own else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    try:
        if own:
            require(resources, ray.cluster_resources())  # type: ignore[no-untyped-call]
        yield
    finally:
        gc.collect()  # a handle that the collector finds later would end this process
        ray.shutdown()


def missing_room(resources: ResourcesConfig) -> str:
    """What the cluster that we joined has to get before a trial can begin; empty if nothing."""
    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return waiting_for(resources, [node["Resources"] for node in alive])


def prepare_teachers(study: StudyConfig, place: str) -> dict[str, PreparedTeacher]:
    """Train or load every teacher that is not there yet, in parallel, as Ray tasks.

    What is there and promises nothing is looked up here: a task would have to import PyTorch first.

    Args:
        study: whose teachers.
        place: the folder of teachers as all nodes see it, or its URL.

    Raises:
        ValueError: if a checkpoint cannot be used.
        ConnectionError: if the URL's store does not answer.
    """
    resources, teachers = study.resources, teachers_to_prepare(study)
    # the process ends with its task: it would keep its memory, on a GPU too
    remote = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus, max_calls=1)
    task = remote(prepare_teacher_at)
    folders = {name: fetch_teacher(config, place) for name, config in teachers.items()}
    pending = {
        name: task.remote(config, place)
        for name, config in teachers.items()
        if not _is_there(config, folders[name])
    }
    try:
        made = {name: ray.get(result) for name, result in pending.items()}
    except RayTaskError as error:
        raise error.cause from None
    return {
        name: made.get(name) or prepare_teacher(config, folders[name])
        for name, config in teachers.items()
    }


def _is_there(config: TrialConfig, directory: Path) -> bool:
    """Whether a teacher needs only to be read: one that promises an accuracy is measured again."""
    promised = config.teacher is not None and config.teacher.clean_accuracy is not None
    return teacher_path(config, directory).is_file() and not promised


def run_trials(
    study: StudyConfig,
    directory: StudyDirectory,
    search: Search,
    *,
    progress: Progress,
    watchers: Sequence[Watcher],
) -> None:
    """Finish what was begun and begin what is missing, until the study has its trials.

    Returns early, with trials left unfinished, if it is interrupted.
    """
    resources = study.resources
    _keep_keys_at_home()
    shutil.rmtree(directory.ray, ignore_errors=True)  # of an earlier driver; not needed again
    tuner = tune.Tuner(
        tune.with_resources(DistillationTrainable, placement(resources)),
        tune_config=tune.TuneConfig(
            search_alg=LedgerSearcher(
                search, directory, at_once=resources.max_concurrent, workers=resources.workers
            ),
            scheduler=LedgerScheduler(search),
            num_samples=-1,  # the searcher says when there are no more
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name=directory.ray.name,
            storage_path=str(directory.path.resolve()),
            callbacks=[Recorder(search, [progress, *watchers]), ProgressCallback(progress)],
            failure_config=tune.FailureConfig(max_failures=resources.max_failures),
            checkpoint_config=_checkpoints(directory),
            verbose=0,
        ),
    )
    progress.start()
    try:
        tuner.fit()
    finally:
        progress.stop()


def _keep_keys_at_home() -> None:
    """Ray would send AWS's keys to every node as settings of its actors, which its logs show."""
    ENV_VARS_TO_PROPAGATE.difference_update({n for n in ENV_VARS_TO_PROPAGATE if "AWS_" in n})


def _checkpoints(directory: StudyDirectory) -> tune.CheckpointConfig:
    """Ray asks for one after every epoch, and notes its path in the directory, which all nodes see.

    At a URL, trials send them by themselves: Ray's notes would be one more thing to be sent.
    """
    if directory.copy:
        return tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False)
    return tune.CheckpointConfig(checkpoint_frequency=1, num_to_keep=1)


def _name(trial: Trial) -> str:
    attempt = trial.config["attempt"]
    return f"trial_{trial.config['number']:04d}" + (f"_again_{attempt}" if attempt else "")
