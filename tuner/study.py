"""A study as its user writes it down: one YAML file."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from trainables.config import TeacherConfig, TrialConfig
from trainables.frozen import Frozen
from trainables.metrics import OBJECTIVES
from trainables.spelling import unknown

Range = Annotated[list[float | int | str | bool], Field(min_length=1)]


class ObjectiveConfig(Frozen):
    """A metric of the last epoch and what is good."""

    metric: str = Field(description="a metric of trainables.metrics.OBJECTIVES")
    direction: Literal["maximize", "minimize"] = "maximize"

    @field_validator("metric")
    @classmethod
    def _known(cls, metric: str) -> str:
        if metric not in OBJECTIVES:
            raise ValueError(unknown("metric", metric, OBJECTIVES))
        return metric


class SamplerConfig(Frozen):
    """Who proposes trials."""

    name: Literal["tpe", "nsga2", "nsga3", "gp", "random"] = Field(
        "tpe", description="Optuna's sampler"
    )
    seed: int = Field(0, ge=0, description="of the proposals")
    startup_trials: int = Field(10, ge=1, description="random proposals before tpe and gp learn")
    population_size: int = Field(24, ge=2, description="of nsga2 and nsga3")


class ResourcesConfig(Frozen):
    """What one trial gets, and how many run at once."""

    cpus: float = Field(1, gt=0, description="CPU cores per trial")
    gpus: float = Field(0, ge=0, description="GPUs per trial; fractions share one")
    max_concurrent: int = Field(2, ge=1, description="trials at the same time")
    max_failures: int = Field(3, ge=0, description="restarts of a trial whose process dies")
    min_free_disk_gb: float = Field(
        0.5, ge=0, description="free disk, in 10^9 bytes, below which a study does not start"
    )


class TrackingConfig(Frozen):
    """Where MLflow holds the runs."""

    enabled: bool = Field(True, description="write to MLflow at all")
    uri: str | None = Field(
        None, description="tracking URI; default: mlflow.db beside the study directory"
    )
    experiment: str | None = Field(None, description="MLflow experiment; default: the study's name")


DEFAULT_OBJECTIVES = (
    ObjectiveConfig(metric="val/clean_accuracy"),
    ObjectiveConfig(metric="val/robust_accuracy"),
)


class StudyConfig(Frozen):
    """Many trials of one search space."""

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
    fixed: dict[str, Any] = Field({}, description="pins a parameter of the space to a value")
    first_trials: list[dict[str, Any]] | None = Field(
        None,
        description="parameters to try first; default: the paper's setting of the built-in space",
    )
    baselines: dict[str, dict[str, Any]] = Field(
        {}, description="overrides of the base, run once per student for comparison, by name"
    )
    objectives: tuple[ObjectiveConfig, ...] = Field(DEFAULT_OBJECTIVES, min_length=1, max_length=4)
    sampler: SamplerConfig = SamplerConfig()
    resources: ResourcesConfig = ResourcesConfig()
    tracking: TrackingConfig = TrackingConfig()
    storage: str | None = Field(
        None,
        description="Optuna storage URL (postgresql://…); default: a journal file in the study",
    )

    @model_validator(mode="after")
    def _objectives_differ(self) -> Self:
        metrics = [objective.metric for objective in self.objectives]
        if len(set(metrics)) < len(metrics):
            raise ValueError(f"objectives must differ, got {', '.join(metrics)}")
        return self
