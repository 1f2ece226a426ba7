"""How hard the data set `glyphs` is: a linear classifier, a small network, and that under attack.

PYTHONPATH=. python benchmarks/learn_glyphs.py --linear
PYTHONPATH=. python benchmarks/learn_glyphs.py --adversarial --epochs 12
"""

import argparse
import json
import time

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from trainables.attacks import AttackConfig, cross_entropy_objective
from trainables.config import TrialConfig
from trainables.data import Split, load_data
from trainables.distillation import Distillation
from trainables.evaluation import clean_accuracy, robust_accuracy
from trainables.machine.hardware import pick_device
from trainables.models import Network
from trainables.threat import PIXEL, ThreatModel

NUM_LINEAR, NUM_ATTACKED = 5_000, 1_000


def main() -> None:
    arguments = parse()
    config = config_of(arguments)
    data = load_data(config.data, pick_device(arguments.device))
    result = {"train": len(data.train), "test": len(data.test), **vars(arguments)}
    if arguments.linear:
        result["linear_accuracy"] = linear_accuracy(data.train, data.test)
    begin = time.perf_counter()
    run = trained(config)
    result["seconds"] = time.perf_counter() - begin
    print(json.dumps(result | accuracies(run.student, data.test)))


def config_of(arguments: argparse.Namespace) -> TrialConfig:
    """Cross-entropy on clean images, or on FGSM images whose radius grows to 8/255."""
    standard = {"name": "kd", "soft_weight": 0}
    return TrialConfig.model_validate(
        {
            "data": {
                "name": "glyphs",
                "classes": arguments.classes,
                "images": arguments.images,
                "batch_size": 64,
                "flip": True,
            },
            "student": {"architecture": arguments.architecture},
            "method": {"name": "adversarial_training"} if arguments.adversarial else standard,
            "attack": {"steps": 1, "step_size": 1.0},
            "optimizer": {
                "learning_rate": 0.05,
                "weight_decay": 5e-4,
                "schedule": "one_cycle",
                "warmup": 0.3,
            },
            "epsilon_warmup": 1.0,
            "epochs": arguments.epochs,
            "seed": arguments.seed,
            "hardware": {"device": arguments.device},
        }
    )


def trained(config: TrialConfig) -> Distillation:
    """A finished run, its progress printed."""
    run = Distillation.build(config)
    while not run.finished:
        loss = run.train_epoch()["train/loss"]
        validation = clean_accuracy(run.student, run.data.validation)
        print(f"epoch {run.epoch}: loss {loss:.3f}, validation {validation:.3f}", flush=True)
    return run


def accuracies(network: Network, test: Split) -> dict[str, float]:
    """Clean on all test images; under PGD-10 on cross-entropy on the first 1,000."""
    attacked = Split(test.images[:NUM_ATTACKED], test.labels[:NUM_ATTACKED])
    robust = {
        f"pgd10_accuracy_{radius}_255": robust_accuracy(
            network,
            attacked,
            cross_entropy_objective,
            ThreatModel(epsilon=radius * PIXEL),
            AttackConfig(steps=10),
            seed=0,
        )
        for radius in (1, 2, 4, 8)
    }
    return {"clean_accuracy": clean_accuracy(network, test), **robust}


def linear_accuracy(train: Split, test: Split) -> float:
    """Of logistic regression on standardised pixels."""
    pixels, labels = flat(train.images[:NUM_LINEAR]), train.labels[:NUM_LINEAR].cpu().numpy()
    mean, std = pixels.mean(axis=0), pixels.std(axis=0)
    classifier = LogisticRegression(C=1e-3, max_iter=200).fit((pixels - mean) / std, labels)
    return float(classifier.score((flat(test.images) - mean) / std, test.labels.cpu().numpy()))


def flat(images: Tensor) -> np.ndarray:
    return images.flatten(1).cpu().numpy()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--images", type=int, default=9_600, help="in all three splits")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--architecture", default="small_resnet8")
    parser.add_argument(
        "--adversarial", action="store_true", help="train on FGSM images, radius growing to 8/255"
    )
    parser.add_argument("--linear", action="store_true", help="logistic regression too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
