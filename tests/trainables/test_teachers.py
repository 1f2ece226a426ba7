import hashlib
import json
import math

import pytest
import torch
from safetensors import safe_open
from torch.nn import functional as F

from trainables.config import TrialConfig
from trainables.distillation import Distillation, build_network
from trainables.evaluation import clean_accuracy
from trainables.models import create_network
from trainables.models.checkpoints import read_checkpoint
from trainables.models.fitting import published_model
from trainables.models.student_file import write_teacher
from trainables.teachers import (
    check_teacher,
    load_teacher,
    load_teachers,
    prepare_teacher,
    teacher_path,
)
from trainables.teachers.stored import prepared, prepared_network

RECIPE = {
    "architecture": "small_resnet6",
    "training": {"epochs": 1, "batch_size": 400, "attack": {"steps": 1}},
}


UNTRAINED = {"clean_accuracy": 0.1, "tolerance": 1.0}
"""Promises nothing, so random weights are accepted."""


@pytest.fixture
def taught(trial):
    return trial(teacher=RECIPE, method={"name": "kd"})


@pytest.fixture
def from_file(trial, tmp_path):
    """``from_file(**promise)``: a trial whose teacher comes from a checkpoint of random weights."""

    def create(**promise):
        config = trial(teacher=RECIPE, method={"name": "kd"})
        path = tmp_path / "public.pt"
        torch.save(build_network(config, "small_resnet6", True).model.state_dict(), path)
        checkpoint = {"architecture": "small_resnet6", "checkpoint": str(path)}
        checkpoint |= promise or UNTRAINED
        return trial(teacher=checkpoint, method={"name": "kd"})

    return create


def test_a_teacher_is_trained_once(taught, tmp_path):
    first = prepare_teacher(taught, tmp_path)
    written = first.path.stat().st_mtime_ns
    second = prepare_teacher(taught, tmp_path)

    assert (first.trained_now, second.trained_now) == (True, False)
    assert second.path.stat().st_mtime_ns == written
    assert first[:3] == second[:3]


def test_training_it_again_gives_the_same_weights(taught, tmp_path):
    first = read_checkpoint(prepare_teacher(taught, tmp_path / "a").path)
    second = read_checkpoint(prepare_teacher(taught, tmp_path / "b").path)

    torch.testing.assert_close(first["model"], second["model"], rtol=0, atol=0)
    assert first["measured"] == second["measured"]


def test_the_file_says_how_it_was_trained(taught, tmp_path):
    content = read_checkpoint(prepare_teacher(taught, tmp_path).path)

    assert TrialConfig.model_validate(content["config"]) == taught.teacher_trial()


def test_what_makes_no_difference_to_the_teacher_does_not_change_its_place(taught, trial, tmp_path):
    other = trial(
        teacher=RECIPE,
        method={"name": "kd", "temperature": 3},
        data={"batch_size": 60, "loading": {"storage": "stream", "workers": 0}},
        validation={"attack": {"steps": 1}},
    )

    assert teacher_path(other, tmp_path) == teacher_path(taught, tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"threat": {"epsilon": 0.11}}, {"data": {"split_seed": 1}}, {"teacher": {"normalize": False}}],
    ids=["threat", "split", "normalisation"],
)
def test_another_task_has_another_teacher(taught, trial, tmp_path, change):
    other = trial(**{"teacher": RECIPE, "method": {"name": "kd"}} | change)

    assert teacher_path(other, tmp_path) != teacher_path(taught, tmp_path)


def test_a_loaded_teacher_is_frozen_and_shared(taught, tmp_path):
    teacher = load_teacher(taught, tmp_path)

    assert not teacher.training
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert load_teacher(taught, tmp_path) is teacher


def test_a_loss_that_asks_no_teacher_loads_none(trial, tmp_path):
    assert load_teacher(trial(teacher=RECIPE), tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_weights_come_from_a_checkpoint_untouched(from_file, tmp_path):
    config = from_file()

    teacher = load_teacher(config, tmp_path / "teachers")

    given = torch.load(config.teacher.checkpoint)
    torch.testing.assert_close(dict(teacher.model.state_dict()), dict(given), rtol=0, atol=0)


def test_a_teacher_that_is_not_as_good_as_promised_is_refused(from_file, tmp_path):
    with pytest.raises(ValueError, match=r"clean_accuracy promises 0\.990"):
        prepare_teacher(from_file(clean_accuracy=0.99), tmp_path / "teachers")

    assert not (tmp_path / "teachers").exists()


def test_a_teacher_within_its_tolerance_is_accepted(from_file, tmp_path):
    prepared = prepare_teacher(from_file(clean_accuracy=0.1, tolerance=0.3), tmp_path / "teachers")

    assert abs(prepared.clean_accuracy - 0.1) <= 0.3


def test_another_file_at_the_same_path_is_another_teacher(from_file, tmp_path):
    config = from_file()
    before = teacher_path(config, tmp_path)
    other = build_network(config, "small_resnet6", True)
    torch.save(other.model.state_dict(), config.teacher.checkpoint)

    assert teacher_path(config, tmp_path) != before


def test_a_prepared_file_says_where_it_came_from(from_file, tmp_path):
    config = from_file()
    expected = hashlib.sha256(config.teacher.checkpoint.read_bytes()).hexdigest()

    prepared = prepare_teacher(config, tmp_path / "teachers")

    assert (prepared.layout, prepared.sha256) == ("small ResNet", expected)
    assert prepared.origin == f"from a file in the layout small ResNet, sha256 {expected[:16]}"
    assert read_checkpoint(prepared.path)["teacher"]["sha256"] == expected


def test_a_teacher_of_ours_has_no_other_origin(taught, tmp_path):
    assert prepare_teacher(taught, tmp_path).origin == "trained here"


def test_a_prepared_teacher_can_be_given_as_a_checkpoint(taught, trial, tmp_path):
    first = prepare_teacher(taught, tmp_path / "a")
    file = {"architecture": "auto", "checkpoint": first.path, **UNTRAINED}
    again = trial(teacher=file, method={"name": "kd"})

    second = prepare_teacher(again, tmp_path / "b")

    assert second.layout == "ours, small ResNet"
    assert second[1:3] == first[1:3]


def test_the_architecture_is_told_by_the_file(from_file, trial, tmp_path):
    named = from_file()
    unnamed = trial(
        teacher={"architecture": "auto", "checkpoint": named.teacher.checkpoint},
        method={"name": "kd"},
    )

    assert teacher_path(unnamed, tmp_path) == teacher_path(named, tmp_path)


def file_of(network, folder, **extra):
    path = folder / "public.pt"
    torch.save({"state_dict": {**network.model.state_dict(), **extra}}, path)
    return path


STATISTICS = {"mu": torch.full((1, 1, 1, 1), 0.3), "sigma": torch.full((1, 1, 1, 1), 0.4)}
BROUGHT = {"mean": [0.3], "std": [0.4]}


@pytest.fixture
def statistics_of(network, trial, tmp_path):
    """``statistics_of(normalization, **extra)``: mean and std that a loaded teacher works with."""

    def create(normalization, architecture="small_resnet6", **extra):
        path = file_of(network(architecture), tmp_path, **extra)
        teacher = {"architecture": "auto", "checkpoint": path, "normalization": normalization}
        teacher |= UNTRAINED
        loaded = load_teacher(trial(teacher=teacher, method={"name": "kd"}), tmp_path / "teachers")
        return [loaded.mean.item(), loaded.std.item()]

    return create


def test_a_normalisation_that_the_file_brings_is_taken(statistics_of):
    assert statistics_of("auto", **STATISTICS) == pytest.approx([0.3, 0.4])


def test_a_file_that_brings_none_is_standardised_as_the_data_is(statistics_of, digits):
    assert statistics_of("auto") == pytest.approx([*digits.mean, *digits.std])


@pytest.mark.parametrize(
    ("normalization", "expected"),
    [("none", [0, 1]), ({"mean": [0.1], "std": [0.2]}, [0.1, 0.2])],
    ids=["none", "numbers"],
)
def test_what_is_said_is_done(statistics_of, normalization, expected):
    assert statistics_of(normalization) == pytest.approx(expected)


def test_another_normalisation_than_the_file_s_is_refused(statistics_of):
    with pytest.raises(ValueError, match=r"standardises images by mean 0\.3, std 0\.4, but the ne"):
        statistics_of("none", **STATISTICS)


def test_a_broken_promise_says_which_normalisation_would_keep_it(trained, trial, tmp_path):
    path = file_of(trained, tmp_path)
    said = {"architecture": "auto", "checkpoint": path, "tolerance": 0.01}
    right = prepare_teacher(trial(teacher=said, method={"name": "kd"}), tmp_path / "a")
    wrong = {**said, "normalization": "none", "clean_accuracy": right.clean_accuracy}

    with pytest.raises(ValueError, match=r"with normalization 'data' it reaches 0\.\d+$"):
        prepare_teacher(trial(teacher=wrong, method={"name": "kd"}), tmp_path / "b")

    assert not (tmp_path / "b").exists()


def trained_without_normalization(config):
    """A channel of it is silent for pixels in [0, 1], and drowns the others where one is below 0.

    By itself a small network bears a wrong normalisation more or less well, as chance will have it.
    """
    student = config.student.model_copy(update={"normalize": False})
    distillation = Distillation.build(config.model_copy(update={"student": student}))
    while not distillation.finished:
        distillation.train_epoch()
    convolution, norm, _ = distillation.student.model.stem
    with torch.no_grad():
        convolution.weight[0] = 0
        convolution.weight[0, 0, 1, 1] = -1_000
        norm.running_mean[0], norm.running_var[0] = 0, 1
        norm.weight[0], norm.bias[0] = 1, 0
    return distillation.student


@pytest.mark.slow
def test_a_normalisation_that_was_guessed_wrongly_is_refused(trained_config, trial, tmp_path):
    path = file_of(trained_without_normalization(trained_config), tmp_path)
    said = {"checkpoint": path, "architecture": "auto"}

    with pytest.raises(ValueError, match=r"public\.pt does not bring its normalization.*'none'"):
        prepare_teacher(trial(teacher=said, method={"name": "kd"}), tmp_path / "a")

    told = {**said, "normalization": "none"}
    assert prepare_teacher(trial(teacher=told, method={"name": "kd"}), tmp_path / "b").trained_now


def test_a_file_that_only_guesses_is_refused_unless_that_is_said(from_file, trial, tmp_path):
    said = {"architecture": "small_resnet6", "checkpoint": from_file().teacher.checkpoint}

    with pytest.raises(ValueError, match=r"public\.pt reaches 0\.\d+ .* no better than guessing"):
        prepare_teacher(trial(teacher=said, method={"name": "kd"}), tmp_path / "a")

    meant = trial(teacher={**said, **UNTRAINED}, method={"name": "kd"})
    assert prepare_teacher(meant, tmp_path / "b").trained_now


def test_a_promise_holds_for_a_teacher_that_was_prepared_under_another_one(from_file, tmp_path):
    config = from_file()
    promised = config.teacher.model_copy(update={"clean_accuracy": 0.99, "tolerance": 0.01})
    prepare_teacher(config, tmp_path / "teachers")

    with pytest.raises(ValueError, match=r"promises 0\.990"):
        prepare_teacher(config.model_copy(update={"teacher": promised}), tmp_path / "teachers")


def test_a_published_accuracy_is_measured_on_test_images(trained, digits, trial, tmp_path):
    teacher = {
        "architecture": "auto",
        "checkpoint": file_of(trained, tmp_path),
        "clean_accuracy": clean_accuracy(trained, digits.test),
        "promised_on": "test",
        "tolerance": 1e-6,
    }

    prepared = prepare_teacher(trial(teacher=teacher, method={"name": "kd"}), tmp_path / "teachers")

    measured = read_checkpoint(prepared.path)["measured"]
    assert measured["test_clean_accuracy"] == teacher["clean_accuracy"]
    assert measured["clean_accuracy"] == prepared.clean_accuracy


def at(architecture, side):
    return create_network(
        architecture, image_shape=(1, side, side), num_classes=10, mean=[0.0], std=[1.0]
    ).eval()


def test_a_teacher_may_look_at_another_resolution(digits, trial, tmp_path):
    wide = at("small_resnet6", 16)
    images = digits.test.images[:4].clone().requires_grad_()
    teacher = {
        "architecture": "auto",
        "checkpoint": file_of(wide, tmp_path),
        "normalization": "none",
        "resolution": 16,
        **UNTRAINED,
    }

    loaded = load_teacher(trial(teacher=teacher, method={"name": "kd"}), tmp_path / "teachers")

    enlarged = F.interpolate(images, (16, 16), mode="bilinear", antialias=True)
    torch.testing.assert_close(loaded(images), wide(enlarged), rtol=0, atol=1e-6)
    (gradient,) = torch.autograd.grad(loaded(images).logsumexp(1).sum(), images)
    (expected,) = torch.autograd.grad(wide(enlarged).logsumexp(1).sum(), images)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.slow
@pytest.mark.parametrize("term", ["covariance", "gram", "input_gradient"])
def test_terms_cope_with_a_teacher_at_another_resolution(term, network, trial, tmp_path):
    config = trial(
        teacher={
            "architecture": "auto",
            "checkpoint": file_of(network(), tmp_path),
            "resolution": 16,
            **UNTRAINED,
        },
        alignments={term: True},
        epochs=1,
    )
    distillation = Distillation.build(config, *load_teachers(config, tmp_path / "teachers"))

    metrics = distillation.train_epoch()

    assert metrics[f"train/{term}_loss"] > 0


def test_position_moments_at_another_resolution_are_refused(network, trial, tmp_path):
    config = trial(
        teacher={
            "architecture": "auto",
            "checkpoint": file_of(network(), tmp_path),
            "resolution": 16,
            **UNTRAINED,
        },
        alignments={"gram": {"axis": "position"}},
    )
    teacher = load_teacher(config, tmp_path / "teachers")

    with pytest.raises(ValueError, match="position moments need equally many positions"):
        Distillation.build(config, teacher)


def refused(settings, trial, tmp_path):
    config = trial(**settings)
    with pytest.raises(ValueError) as error:  # noqa: PT011  # matched by the caller
        check_teacher(config)
    assert not list(tmp_path.glob("*.pt-*"))
    return str(error.value)


@pytest.mark.parametrize(
    ("architecture", "shape", "classes", "words"),
    [
        (
            "small_resnet6",
            (1, 8, 8),
            100,
            "is made for 100 classes, not for the 10 of data 'digits'; name a",
        ),
        ("small_resnet6", (3, 8, 8), 10, "is made for 3 channels, not for the 1 of data 'digits'"),
        (
            "vit_tiny_patch16_224",
            (1, 32, 32),
            10,
            "32 pixels a side, not for the 8 of data 'digits'; set the teacher's resolution to 32",
        ),
    ],
)
def test_a_file_that_does_not_fit_the_data_is_refused_before_anything_is_trained(
    architecture, shape, classes, words, trial, tmp_path
):
    model = published_model(architecture, image_shape=shape, num_classes=classes)
    torch.save(model.state_dict(), tmp_path / "file.pt")
    teacher = {"architecture": "auto", "checkpoint": tmp_path / "file.pt"}

    sentence = refused({"teacher": teacher, "method": {"name": "kd"}}, trial, tmp_path)

    assert words in sentence


def test_a_teacher_of_ours_from_another_data_set_is_refused(taught, trial, tmp_path):
    path = prepare_teacher(taught, tmp_path / "teachers").path
    content = read_checkpoint(path)
    content["config"]["data"]["name"] = "glyphs"
    torch.save(content, tmp_path / "file.pt")
    teacher = {"architecture": "auto", "checkpoint": tmp_path / "file.pt"}

    sentence = refused({"teacher": teacher, "method": {"name": "kd"}}, trial, tmp_path)

    assert "was trained on 'glyphs', but data is 'digits'" in sentence


def test_a_file_of_another_architecture_than_said_names_both(from_file, trial, tmp_path):
    teacher = {
        "architecture": "small_resnet8",
        "checkpoint": from_file().teacher.checkpoint,
    }

    sentence = refused({"teacher": teacher, "method": {"name": "kd"}}, trial, tmp_path)

    assert "is not of architecture 'small_resnet8'; by its keys it is 'small_resnet6'" in sentence


@pytest.mark.parametrize("content", [{"epoch": 3}, {"a": torch.zeros(2)}], ids=["empty", "unknown"])
def test_a_file_of_nothing_we_know_is_refused(content, trial, tmp_path):
    torch.save(content, tmp_path / "file.pt")
    teacher = {"architecture": "auto", "checkpoint": tmp_path / "file.pt"}

    sentence = refused({"teacher": teacher, "method": {"name": "kd"}}, trial, tmp_path)

    assert "holds no weights" in sentence or "name it with architecture" in sentence


MEMBERS = [RECIPE, {**RECIPE, "architecture": "wide_resnet_10_1"}]


@pytest.mark.slow
def test_an_ensemble_is_the_mean_of_its_members_probabilities(trial, digits, tmp_path):
    config = trial(teacher={"members": MEMBERS, "architecture": "auto"}, method={"name": "kd"})
    images = digits.test.images[:5]

    teacher = load_teacher(config, tmp_path)

    alone = [
        load_teacher(trial(teacher=member, method={"name": "kd"}), tmp_path) for member in MEMBERS
    ]
    mean = torch.stack([one(images).softmax(1) for one in alone]).mean(0)
    torch.testing.assert_close(teacher(images).softmax(1), mean)
    torch.testing.assert_close(teacher(images), mean.log())
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.slow
@pytest.mark.parametrize("method", ["adaad", "mtard"])
def test_a_method_learns_from_an_ensemble(method, trial, tmp_path):
    config = trial(
        teacher={"members": MEMBERS, "architecture": "auto"},
        clean_teacher=RECIPE,
        method={"name": method},
        epochs=1,
    )
    distillation = Distillation.build(config, *load_teachers(config, tmp_path))

    metrics = distillation.train_epoch()

    assert math.isfinite(metrics["train/loss"])


@pytest.mark.slow
def test_the_gradient_goes_through_the_members(trial, digits, tmp_path):
    config = trial(teacher={"members": MEMBERS, "architecture": "auto"}, method={"name": "kd"})
    images = digits.test.images[:5].clone().requires_grad_()
    teacher = load_teacher(config, tmp_path)

    (gradient,) = torch.autograd.grad(teacher(images)[:, 0].sum(), images)

    for member in teacher.model.members:
        (own,) = torch.autograd.grad(member(images).log_softmax(1)[:, 0].sum(), images)
        assert not torch.allclose(own, gradient)
    assert gradient.abs().sum() > 0


@pytest.mark.slow
def test_an_ensemble_has_no_feature_maps(trial, digits, tmp_path):
    config = trial(teacher={"members": MEMBERS, "architecture": "auto"}, method={"name": "kd"})
    teacher = load_teacher(config, tmp_path)

    with pytest.raises(ValueError, match="has logits but no feature maps; name a single teacher"):
        teacher.outputs(digits.test.images[:2], (-1,))


def test_a_prepared_teacher_is_a_safetensors_file_with_its_description_inside(taught, tmp_path):
    path = prepare_teacher(taught, tmp_path).path

    with safe_open(path, framework="pt") as file:
        described = file.metadata()

    assert path.suffix == ".safetensors"
    assert json.loads(described["measured"]).keys() == {"clean_accuracy", "robust_accuracy"}
    assert TrialConfig.model_validate_json(described["config"]) == taught.teacher_trial()


def test_a_teacher_that_an_earlier_version_prepared_is_taken(taught, tmp_path):
    first = prepare_teacher(taught, tmp_path)
    torch.save(read_checkpoint(first.path), first.path.with_suffix(".pt"))
    first.path.unlink()

    again = prepare_teacher(taught, tmp_path)

    assert again == first._replace(path=first.path.with_suffix(".pt"), trained_now=False)
    assert prepared_network(again.path, taught) is not None


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "itself.safetensors", 3])
def test_an_ensemble_has_no_members_outside_its_folder(name, trial, tmp_path):
    path = tmp_path / "itself.safetensors"
    measured = {"clean_accuracy": 0.5, "robust_accuracy": 0.5}
    write_teacher({"members": [name], "measured": measured}, path)

    with pytest.raises(ValueError, match=r"outside its folder|is no teacher"):
        prepared_network(path, trial())


@pytest.mark.parametrize("measured", [None, 3, {}, {"clean_accuracy": 0.5}, {"clean_accuracy": []}])
def test_a_file_without_measured_accuracies_is_no_prepared_teacher(measured, tmp_path):
    path = write_teacher({"config": {}, "measured": measured}, tmp_path / "t.safetensors")

    with pytest.raises(ValueError, match="is no teacher that this version has prepared"):
        prepared(path, now=False)


def test_a_file_cannot_name_an_architecture_that_is_a_path(taught, trial, tmp_path):
    content = read_checkpoint(prepare_teacher(taught, tmp_path).path)
    content["config"]["student"]["architecture"] = "../../evil"
    write_teacher(content, tmp_path / "theirs.safetensors")
    teacher = {"architecture": "auto", "checkpoint": tmp_path / "theirs.safetensors"}

    sentence = refused({"teacher": teacher, "method": {"name": "kd"}}, trial, tmp_path)

    assert "unknown architecture '../../evil'" in sentence
