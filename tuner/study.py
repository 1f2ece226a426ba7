"""A study as its user writes it down: one YAML file."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from trainables.checking import check_batch_shares, check_not_compiled
from trainables.config import TeacherConfig, TrialConfig
from trainables.frozen import Frozen
from trainables.spelling import unknown
from trainables.workers.ranks import Ranks
from tuner.finite_values import finite
from tuner.folder_names import folder_name
from tuner.search.limits import LimitsConfig
from tuner.search.scheduler_config import FifoConfig, HalvingConfig, SchedulerConfig, known_metric
from tuner.secrets import refuse_secrets, without_own_secrets

Range = Annotated[list[float | int | str | bool], Field(min_length=1)]


class ObjectiveConfig(Frozen):
    """A metric of the last epoch and what is good."""

    metric: str = Field(description="a metric of trainables.metrics.OBJECTIVES")
    direction: Literal["maximize", "minimize"] = "maximize"

    _check = field_validator("metric")(known_metric)


class ConstraintConfig(Frozen):
    """A bound on a metric of the last epoch; trials beyond it are not on the front."""

    metric: str = Field(description="a metric of trainables.metrics.OBJECTIVES")
    at_least: float | None = Field(None, description="the smallest value allowed")
    at_most: float | None = Field(None, description="the largest value allowed")

    _check = field_validator("metric")(known_metric)

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            got = "neither" if self.at_least is None else "both"
            raise ValueError(
                f"a constraint on {self.metric} needs exactly one of at_least and at_most, "
                f"got {got}"
            )
        return self

    def __str__(self) -> str:
        """``val/clean_accuracy >= 0.9``."""
        least = f"{self.metric} >= {self.at_least}"
        return least if self.at_least is not None else f"{self.metric} <= {self.at_most}"

    def violation(self, value: float) -> float:
        """How far beyond the bound, in units of the bound; 0 where it is held."""
        if self.at_least is not None:
            return max(0.0, self.at_least - value) / (abs(self.at_least) or 1.0)
        assert self.at_most is not None
        return max(0.0, value - self.at_most) / (abs(self.at_most) or 1.0)


class SamplerConfig(Frozen):
    """Who proposes trials."""

    name: Literal["tpe", "nsga2", "nsga3", "gp", "random"] = Field(
        "tpe", description="Optuna's sampler"
    )
    seed: int = Field(0, ge=0, description="of the proposals")
    startup_trials: int = Field(10, ge=1, description="random proposals before tpe and gp learn")
    population_size: int = Field(24, ge=2, description="of nsga2 and nsga3")
    history: int = Field(
        1000, ge=10, description="trials to learn from; of more, the best ranks and the newest"
    )
    time_limit: float = Field(
        60, gt=0, description="seconds for a proposal; then a random one takes its place"
    )


def counted(number: float, thing: str) -> str:
    """``1 core``, ``0.5 GPUs``."""
    return f"{number:g} {thing}{'' if number == 1 else 's'}"


class ResourcesConfig(Frozen):
    """What one trial gets, and how many run at once."""

    cpus: float = Field(1, gt=0, description="CPU cores per trial, or per worker of it")
    gpus: float = Field(
        0, ge=0, description="GPUs per trial, or per worker of it; fractions share one"
    )
    workers: int = Field(
        1, ge=1, description="processes over which a trial spreads its batches, on one node or more"
    )
    max_concurrent: int = Field(2, ge=1, description="trials at the same time")
    max_failures: int = Field(3, ge=0, description="restarts of a trial whose process dies")
    min_free_disk_gb: float = Field(
        0.5, ge=0, description="free disk, in 10^9 bytes, below which a study does not start"
    )

    @field_validator("gpus")
    @classmethod
    def _whole_above_one(cls, gpus: float) -> float:
        if gpus > 1 and gpus % 1:
            raise ValueError(
                f"gpus above 1 must be a whole number, as Ray lends parts of one GPU alone, got "
                f"{gpus:g}"
            )
        return gpus

    @property
    def share(self) -> float:
        """GPUs that a trial holds; in a study without GPUs, CPU places."""
        return (self.gpus or 1.0) * self.workers

    def places(self, cpus: float, gpus: float) -> int:
        """Processes of trials that fit on a node with so many cores and GPUs."""
        by_cpus = int(cpus / self.cpus)
        return min(by_cpus, int(gpus / self.gpus)) if self.gpus else by_cpus

    def __str__(self) -> str:
        """What a trial asks for: ``4 x 1 core and 0.5 GPUs``."""
        asked = f"{counted(self.cpus, 'core')} and {counted(self.gpus, 'GPU')}"
        return f"{self.workers} x {asked}" if self.workers > 1 else asked


class TrackingConfig(Frozen):
    """Where MLflow holds the runs."""

    enabled: bool = Field(True, description="write to MLflow at all")
    uri: str | None = Field(
        None, description="tracking URI; default: mlflow.db beside the study directory"
    )
    experiment: str | None = Field(None, description="MLflow experiment; default: the study's name")

    _check_uri = field_validator("uri")(without_own_secrets)


DEFAULT_OBJECTIVES = (
    ObjectiveConfig(metric="val/clean_accuracy"),
    ObjectiveConfig(metric="val/robust_accuracy"),
)


class StudyConfig(Frozen):
    """Many trials of one search space."""

    model_config = ConfigDict(hide_input_in_errors=True)  # what is refused may hold a secret

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="names the directory and the experiment",
    )
    description: str = Field("", description="one sentence for people")
    trials: int = Field(
        30, ge=1, description="how many trials in all, baselines and the paper's setting included"
    )
    base: TrialConfig = Field(TrialConfig(), description="what all trials share")
    teachers: dict[str, TeacherConfig] = Field({}, description="candidate teachers by name")
    search_space: str = Field("digits", description="a built-in space, or module:function")
    ranges: dict[str, Range] = Field(
        {}, description="narrows: [low, high] of a number, or the choices left"
    )
    limits: LimitsConfig = Field(
        LimitsConfig(), description="what students may cost; larger ones leave the search space"
    )
    fixed: dict[str, Any] = Field({}, description="pins a parameter of the space to a value")
    first_trials: list[dict[str, Any]] | None = Field(
        None,
        description="parameters to try first; default: the paper's setting of the built-in space",
    )
    baselines: dict[str, dict[str, Any]] = Field(
        {}, description="overrides of the base, run once per student for comparison, by name"
    )
    objectives: tuple[ObjectiveConfig, ...] = Field(DEFAULT_OBJECTIVES, min_length=1, max_length=4)
    constraints: tuple[ConstraintConfig, ...] = Field((), description="bounds on metrics")
    sampler: SamplerConfig = SamplerConfig()
    scheduler: SchedulerConfig = Field(HalvingConfig(), description="who stops trials early")
    replicates: int = Field(
        1,
        ge=1,
        description="seeds per config that is not stopped early; the objectives are their means",
    )
    warm_start: list[str] = Field(
        [],
        description="earlier studies (directories) to learn from, and configs (YAML files) to "
        "try first",
    )
    resources: ResourcesConfig = ResourcesConfig()
    tracking: TrackingConfig = TrackingConfig()
    storage: str | None = Field(
        None,
        description="Optuna storage URL (postgresql://…; ${NAME} is read from the environment); "
        "default: a journal file in the study",
    )

    _check_name = field_validator("name")(folder_name)
    _check_storage = field_validator("storage")(without_own_secrets)
    _check_values = field_validator("ranges", "fixed", "first_trials", "baselines")(finite)

    @model_validator(mode="before")
    @classmethod
    def _holds_no_secret(cls, content: Any) -> Any:
        refuse_secrets(content)
        return content

    def violation(self, metrics: Mapping[str, float]) -> float:
        """How far a report is from holding all constraints; 0 where it holds them.

        A metric that was not reported counts as held: nothing is known.
        """
        return sum(
            bound.violation(metrics[bound.metric])
            for bound in self.constraints
            if bound.metric in metrics
        )

    @model_validator(mode="after")
    def _objectives_differ(self) -> Self:
        metrics = [objective.metric for objective in self.objectives]
        if len(set(metrics)) < len(metrics):
            raise ValueError(f"objectives must differ, got {', '.join(metrics)}")
        return self

    @model_validator(mode="after")
    def _latency_is_measured(self) -> Self:
        asked = {o.metric for o in self.objectives} | {c.metric for c in self.constraints}
        if "student/latency_ms" in asked and not self.base.validation.latency:
            raise ValueError(
                "an objective or constraint asks for student/latency_ms, which is not measured; "
                "set base.validation.latency to true"
            )
        return self

    @model_validator(mode="after")
    def _replicates_fit(self) -> Self:
        if self.replicates > self.trials:
            raise ValueError(
                f"replicates must be at most the number of trials ({self.trials}), "
                f"got {self.replicates}"
            )
        return self

    @model_validator(mode="after")
    def _workers_share_batches(self) -> Self:
        check_batch_shares(self.base, Ranks(0, self.resources.workers))
        if self.resources.workers > 1:
            check_not_compiled(self.base.hardware)
        return self

    @model_validator(mode="after")
    def _rungs_fit(self) -> Self:
        epochs = self.base.epochs
        first = self.scheduler.first_rung(epochs)
        if epochs > 1 and not isinstance(self.scheduler, FifoConfig) and first >= epochs:
            raise ValueError(
                f"scheduler.grace_period must be below base.epochs ({epochs}), got {first}; "
                "a rung at or beyond the last epoch stops nothing"
            )
        return self

    @model_validator(mode="after")
    def _proxy_fits(self) -> Self:
        proxy = getattr(self.scheduler, "proxy", None)
        names = [objective.metric for objective in self.objectives]
        if proxy and proxy.instead_of not in names:
            raise ValueError(unknown("objective in scheduler.proxy", proxy.instead_of, names))
        return self
