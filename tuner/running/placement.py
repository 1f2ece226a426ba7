"""What Ray sets aside for a trial."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ray.tune import PlacementGroupFactory

from tuner.study import ResourcesConfig

Bundle = dict[str, float]


def placement(resources: ResourcesConfig) -> Callable[[dict[str, Any]], PlacementGroupFactory]:
    """As Tune asks it, by the trial's config: for one process, or for each worker of the trial.

    Workers get their places together or not at all, close to each other. Who drives them takes no
    core: it waits. A trial that is tried again alone takes a whole GPU, if the study has GPUs still
    and one process per trial.
    """

    def of_trial(config: dict[str, Any]) -> PlacementGroupFactory:
        single = resources.workers == 1
        bundle = _bundle(resources, whole=single and bool(config.get("alone")))
        if single:
            return PlacementGroupFactory([bundle])
        return PlacementGroupFactory([{}, *[bundle] * resources.workers], strategy="PACK")

    return of_trial


def _bundle(resources: ResourcesConfig, *, whole: bool) -> Bundle:
    gpus = max(1.0, resources.gpus) if whole and resources.gpus else resources.gpus
    return {"CPU": resources.cpus} | ({"GPU": gpus} if gpus else {})


def require(resources: ResourcesConfig, present: Mapping[str, float]) -> None:
    """Refuse what this machine can never give; Ray would wait for it for ever.

    Raises:
        ValueError: with what is asked for and what is there.
    """
    gpus = present.get("GPU", 0)
    if resources.gpus * resources.workers > gpus:
        workers = f" for each of {resources.workers} workers" if resources.workers > 1 else ""
        raise ValueError(
            f"resources.gpus asks for {resources.gpus:g} per trial{workers}, but this machine has "
            f"{gpus:g}; lower it, or give the address of a cluster"
        )


def waiting_for(resources: ResourcesConfig, lent: Iterable[Mapping[str, float]]) -> str:
    """What a cluster has to get before a trial can begin, in words; empty if it has it.

    Not refused: nodes may be on their way.

    Args:
        resources: of the study.
        lent: by each node that is there.
    """
    there = [resources.places(node.get("CPU", 0), node.get("GPU", 0)) for node in lent]
    if sum(there) >= resources.workers:
        return ""
    return (
        f"the cluster has no room for a trial ({resources}) on its {len(there)} nodes: waiting for "
        "nodes that join; see what there is with: tuner doctor --study … --address …"
    )
