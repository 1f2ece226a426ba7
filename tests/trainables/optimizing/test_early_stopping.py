import pytest
import torch

from trainables.distillation import Distillation
from trainables.optimizing.early_stopping import BestEpoch, EarlyStoppingConfig
from trainables.validation import ValidationConfig


def test_the_best_epoch_is_the_first_of_equals():
    best, network = BestEpoch(keep_weights=True), torch.nn.Linear(1, 1)

    for epoch, accuracy in enumerate([0.1, 0.4, 0.4, 0.2], start=1):
        with torch.no_grad():
            network.weight.fill_(epoch)
        best.see(epoch, accuracy, network)

    assert (best.epoch, best.robust_accuracy) == (2, 0.4)
    assert best.weights["weight"].item() == 2.0


@pytest.mark.parametrize(("patience", "stops"), [(1, 3), (2, 4), (None, None)])
def test_it_waits_for_its_patience(patience, stops):
    best, network = BestEpoch(keep_weights=False), torch.nn.Linear(1, 1)

    waited = []
    for epoch, accuracy in enumerate([0.1, 0.4, 0.3, 0.2], start=1):
        best.see(epoch, accuracy, network)
        waited.append(best.waited(epoch, EarlyStoppingConfig(patience=patience).patience))

    assert (waited.index(True) + 1 if True in waited else None) == stops
    assert best.weights == {}


@pytest.fixture
def overfitting(trial):
    """A run whose learning rate ruins the student after its first epochs."""
    config = trial(
        teacher=None,
        epochs=6,
        early_stopping={"patience": 2},
        optimizer={"learning_rate": 0.4, "schedule": "constant"},
        seed=1,
    )
    return Distillation.build(config)


@pytest.mark.slow
def test_a_run_ends_with_its_best_epoch_measured_and_saved(overfitting):
    history = []
    while not overfitting.finished:
        overfitting.train_epoch()
        history.append(overfitting.validate())

    robust = [metrics["val/robust_accuracy"] for metrics in history]
    last, best = history[-1], overfitting.best
    assert last["val/robust_accuracy"] == last["val/best_robust_accuracy"] == best.robust_accuracy
    assert last["val/robust_accuracy"] >= max(robust[:-1])
    assert last["val/best_epoch"] == best.epoch
    assert "val/pgd2_accuracy" in last
    result = overfitting.state_dict()["result"]
    assert all(torch.equal(value, best.weights[key]) for key, value in result.items())


@pytest.mark.slow
def test_a_resumed_run_remembers_its_best_epoch(trial):
    config = trial(teacher=None, epochs=4, early_stopping={})
    whole, stopped, resumed = (Distillation.build(config) for _ in range(3))
    expected = [(whole.train_epoch(), whole.validate()) for _ in range(4)]
    for _ in range(2):
        stopped.train_epoch()
        stopped.validate()

    resumed.load_state_dict(stopped.state_dict())
    found = [(resumed.train_epoch(), resumed.validate()) for _ in range(2)]

    assert found == expected[2:]


def test_without_it_the_last_epoch_is_measured_and_the_best_one_reported(trial):
    distillation = Distillation.build(trial(teacher=None, epochs=2))
    history = []
    while not distillation.finished:
        distillation.train_epoch()
        history.append(distillation.validate())

    best = max(metrics["val/robust_accuracy"] for metrics in history)
    assert history[-1]["val/best_robust_accuracy"] == best
    assert "result" not in distillation.state_dict()


@pytest.mark.parametrize(("accuracy", "alarm"), [(0.40, 0.0), (0.36, 0.0), (0.3, 1.0), (0.1, 2.0)])
def test_falling_below_the_best_epoch_raises_an_alarm(accuracy, alarm):
    found = ValidationConfig().overfitting(accuracy, 0.4)

    assert found["val/robust_overfitting"] == pytest.approx(0.4 - accuracy)
    assert found["val/overfitting_alarm"] == alarm
