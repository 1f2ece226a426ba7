"""One of two processes that share every batch; test_distributed.py runs it as a script.

``python rank_worker.py RANK STORE RESULTS NAME…``: each process computes its part of every case
that is named, and rank 0 the whole by itself as well; ``RESULTS`` gets what both came to, as
tensors by name.
"""

import sys
import warnings
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from trainables.alignments import ALIGNMENTS, Pair
from trainables.config import TrialConfig, merge
from trainables.data import load_data
from trainables.distillation import Distillation, build_network
from trainables.methods import METHODS
from trainables.models import allow_double_backward
from trainables.models.synchronized import synchronized_batch_norm
from trainables.training import Networks, Step
from trainables.workers.ranks import ALONE, Ranks

TRIAL = {
    "student": {"architecture": "small_resnet6"},
    "teacher": {"architecture": "wide_resnet_10_1"},
    "clean_teacher": {"architecture": "small_resnet8"},
    "data": {"batch_size": 300, "crop_padding": 1, "color_jitter": 0.2},
    "threat": {"epsilon": 0.1},
    "attack": {"steps": 2, "step_size": 0.7},
    "validation": {"attack": {"steps": 2}},
    "epochs": 2,
    "hardware": {"device": "cpu"},
}
NAMES = ("student", "teacher", "clean_teacher")
VIT = {"student": {"architecture": "vit_pico_patch2_8"}}


def aligned(name, **options):
    return {"alignments": {name: options}}


CASES = {
    **{f"method {name}": {"method": {"name": name}} for name in METHODS},
    **{f"alignment {name}": aligned(name, domains="both") for name in ALIGNMENTS},
    "channel, spatial": aligned("covariance", pool="spatial", unit_rows=True),
    "channel, unbiased": aligned("covariance", unbiased=True, distance="norm", normalize="none"),
    "channel, uncentred": aligned("covariance", centered=False, normalize="frobenius"),
    "channel, running": aligned("covariance", running=0.9),
    "channel, pca": aligned("covariance", projector="pca"),
    "sample, centred": aligned("gram", centered=True, unit_rows=True),
    "sample, spatial": aligned("gram", pool="spatial", normalize="frobenius"),
    "position": aligned(
        "gram", axis="position", taps=[[-1, -2]], normalize="frobenius", distance="norm"
    ),
    "probabilities": aligned("gram", source="probabilities"),
    "gradient in eval mode": aligned("input_gradient", batch_norm="eval", distance="cosine"),
    "gradient as in the authors' code": aligned("input_gradient", scale="shao2021"),
    "gradient by difference": aligned(
        "input_gradient", mode="finite_difference", distance="l2_squared"
    ),
    "authors' gradient by difference": aligned(
        "input_gradient", mode="finite_difference", scale="shao2021"
    ),
    "worst weights": {"method": {"name": "trades"}, "weight_perturbation": {"strength": 0.05}},
    "transformer": merge(VIT, {"method": {"name": "kdiga_ard"}, **aligned("covariance")}),
    "label smoothing, l2": {
        "method": {"name": "trades", "label_smoothing": 0.1},
        "threat": {"norm": "l2"},
    },
}
"""Single steps, by what is special about them."""

RUNS = {
    "plain": {},
    "all alignments": {"alignments": {name: True for name in ALIGNMENTS}},
    "balanced teachers": {"method": {"name": "mtard"}},
    "ema, best epoch": {"averaging": {"name": "ema"}, "early_stopping": {}},
    "swa": {"averaging": {"name": "swa", "start": 0.0}},
    "streamed": {"data": {"loading": {"storage": "stream"}}},
    "clipped": {"optimizer": {"clip_norm": 0.5}, "epsilon_warmup": 0.5},
    "diagnosed": {"diagnostics": {"when": "last_epoch", "measure": ["gradients"]}},
}
"""Whole runs of two epochs."""


def trial(overrides):
    return TrialConfig.model_validate(merge(TRIAL, overrides))


def networks_of(config):
    """Untrained, the same in every process."""
    torch.manual_seed(5)
    architectures = (getattr(config, name).architecture for name in NAMES)
    return [build_network(config, architecture, normalize=True) for architecture in architectures]


def a_step(config, ranks):
    """Losses, adversarial images, gradients and what is remembered, after a step in float64."""
    student, *teachers = networks_of(config)
    allow_double_backward(student)
    split = load_data(config.data, torch.device("cpu")).train[:24]
    alignments, pair = config.alignments.active(), Pair(student, teachers[0], split.images)
    modules = {name: term.modules(pair).double() for name, term in alignments.items()}
    teacher, clean_teacher = (one.eval().requires_grad_(False).double() for one in teachers)
    student = student.double().train()
    step = Step(
        method=config.method,
        alignments=alignments,
        modules=torch.nn.ModuleDict(modules),
        threat=config.threat,
        attack=config.attack,
        perturbation=config.weight_perturbation.strength if config.weight_perturbation else 0.0,
        ranks=ranks,
    )
    own, generator = split[ranks.own(24)], torch.Generator().manual_seed(1)
    with synchronized_batch_norm(ranks):
        networks = Networks(student, teacher, clean_teacher)
        batch = step.batch(own.images.double(), own.labels, networks, generator)
        with step.at_worst_weights(batch, student):
            losses = step.losses(batch)
            sum(losses.values()).backward()
    trained = dict(torch.nn.ModuleList([student, step.modules]).named_parameters())
    ranks.average(parameter.grad for parameter in trained.values())
    return {
        **{f"loss {name}": ranks.mean(loss.detach()) for name, loss in losses.items()},
        "images": ranks.gathered(batch.adversarial.images.detach()),
        **{f"gradient {name}": p.grad for name, p in trained.items() if p.grad is not None},
        **{f"buffer {name}": buffer for name, buffer in student.named_buffers()},
        **{f"buffer {name}": buffer for name, buffer in step.modules.named_buffers()},
        **{f"state {name}": value for name, value in step.state.items()},
    }


def begun(config, ranks):
    """A run in float64: in float32 the sign of a gradient near zero is a matter of rounding."""
    run = Distillation.build(config, *networks_of(config)[1:], ranks=ranks)
    averaged = run.average and run.average.network
    for network in (run.student, run.modules, run.teacher, run.clean_teacher, averaged):
        if network is not None:
            network.double()
    return run


def a_run(config, ranks):
    """Weights and metrics after two epochs."""
    run = begun(config, ranks)
    metrics = [run.train_epoch() | run.validate() for _ in range(config.epochs)]
    weights = {f"weight {name}": value for name, value in run.measured.state_dict().items()}
    numbers = {
        f"{i} {name}": torch.tensor(v) for i, m in enumerate(metrics) for name, v in m.items()
    }
    return {**weights, **numbers}


def taken_over(first, then):
    """The weights of a run whose first epoch others did, from their checkpoint."""
    config = trial(RUNS["all alignments"] | {"averaging": {"name": "ema"}})
    run = begun(config, first)
    run.train_epoch()
    state = run.state_dict()
    run = begun(config, then)
    run.load_state_dict(state)
    run.train_epoch()
    return {f"weight {name}": value for name, value in run.measured.state_dict().items()}


TAKEN_OVER = {
    "one after two": lambda ranks: (ranks, ALONE),
    "two after one": lambda ranks: (ALONE, ranks),
}
"""Who does the first epoch of a run, and who the second."""


def computed(name, ranks):
    if name in CASES:
        return a_step(trial(CASES[name]), ranks)
    if name in RUNS:
        return a_run(trial(RUNS[name]), ranks)
    return taken_over(*TAKEN_OVER[name](ranks))


def main(rank, store, results, names):
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    ranks = Ranks(rank, 2)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=2,
        timeout=timedelta(minutes=10),
    )
    assert Ranks.here() == ranks
    found = {name: {"together": computed(name, ranks)} for name in names}
    if rank == 0:
        for name in names:
            found[name]["alone"] = computed(name, ALONE)
    torch.save(found, Path(results) / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
