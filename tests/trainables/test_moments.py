import pytest
import torch
from torch import nn

from trainables.alignments import CovarianceAlignment, GramAlignment
from trainables.alignments.projector import create_projection
from trainables.alignments.second_moment import RunningMoment, second_moment
from trainables.methods import Batch, View

NO_MODULES = nn.ModuleDict()
LABELS = torch.tensor([0, 1, 2, 0, 1])


def test_covariance_of_two_features_by_hand():
    features = torch.tensor([[[0.0, 0.0]], [[2.0, 4.0]]])

    covariance = second_moment(features, axis="channel", pool="average", centered=True)

    torch.testing.assert_close(covariance, torch.tensor([[1.0, 2.0], [2.0, 4.0]]))


def test_gram_of_two_samples_by_hand():
    features = torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])

    gram = second_moment(features, axis="sample", pool="average", centered=False)

    torch.testing.assert_close(gram, torch.tensor([[2.5, 5.5], [5.5, 12.5]]))


@pytest.mark.parametrize(("pool", "dims"), [("average", 0), ("spatial", (0, 1))])
def test_the_diagonal_of_the_covariance_is_the_variance(pool, dims):
    features = torch.randn(7, 3, 5)
    samples = features.mean(dim=1) if pool == "average" else features

    covariance = second_moment(features, axis="channel", pool=pool, centered=True)

    torch.testing.assert_close(covariance.diagonal(), samples.var(dim=dims, correction=0))


def test_a_batch_smaller_than_the_width_gives_a_covariance_of_low_rank():
    features = torch.randn(4, 2, 10, dtype=torch.float64, requires_grad=True)

    covariance = second_moment(features, axis="channel", pool="average", centered=True)
    (gradient,) = torch.autograd.grad(covariance.square().sum(), features)

    assert covariance.shape == (10, 10)
    assert torch.linalg.matrix_rank(covariance) == 3
    assert gradient.isfinite().all()


def test_centring_survives_a_large_mean():
    spread = torch.randn(50, 1, 3)

    covariance = second_moment(spread + 1000, axis="channel", pool="average", centered=True)

    expected = second_moment(spread, axis="channel", pool="average", centered=True)
    torch.testing.assert_close(covariance, expected, rtol=1e-3, atol=1e-3)


def test_spatial_positions_are_samples_of_channels_or_features_of_samples():
    features = torch.randn(3, 4, 2)

    channel, sample = (
        second_moment(features, axis=axis, pool="spatial", centered=False)
        for axis in ("channel", "sample")
    )

    torch.testing.assert_close(channel, torch.einsum("bpc,bpd->cd", features, features) / 12)
    torch.testing.assert_close(sample, torch.einsum("apc,bpc->ab", features, features) / 8)


def test_covariance_loss_is_the_squared_frobenius_distance(linear_batch):
    batch, _, _ = linear_batch
    term = CovarianceAlignment(domains="clean", projector="none", normalize="none", pool="spatial")

    loss = term.loss(batch, NO_MODULES)

    variance = batch.clean.images.var(correction=0)  # one channel, scaled by 1.5 in the student
    torch.testing.assert_close(loss, (1.5**2 * variance - variance) ** 2)


def test_normalised_by_the_teacher_the_scale_of_features_does_not_matter(linear_batch):
    batch, _, _ = linear_batch
    term = CovarianceAlignment(domains="clean", projector="none", pool="spatial")

    loss = term.loss(batch, NO_MODULES)

    torch.testing.assert_close(loss, torch.tensor((1.5**2 - 1) ** 2))


def test_gram_loss_is_the_squared_frobenius_distance(linear_batch):
    batch, _, _ = linear_batch
    images = batch.clean.images.flatten(1)
    term = GramAlignment(domains="clean", normalize="none", pool="spatial")

    loss = term.loss(batch, NO_MODULES)

    gram = images @ images.T / 4
    torch.testing.assert_close(loss, (1.5**2 * gram - gram).square().sum())


def test_several_layers_are_averaged(batch, network, teacher):
    student = network().eval()
    material = batch(student, teacher, layers=(-1, -2))

    both, last, second = (
        GramAlignment(taps=taps).loss(material, NO_MODULES) for taps in ((-1, -2), (-1,), (-2,))
    )

    torch.testing.assert_close(both, (last + second) / 2)


def test_layers_are_counted_from_the_end():
    with pytest.raises(ValueError, match="less than 0"):
        GramAlignment(taps=(0,))


def test_a_dead_teacher_gives_no_nan(linear_network):
    student, teacher = linear_network(torch.randn(3, 4)), linear_network(torch.randn(3, 4), 0.0)
    view = View(torch.zeros(5, 1, 2, 2), student, teacher, layers=(-1,))

    loss = GramAlignment().loss(Batch(LABELS, view, None), NO_MODULES)

    assert loss == 0


# projectors


@pytest.mark.parametrize("widths", [(16, 64), (64, 16), (8, 8)])
@pytest.mark.parametrize("kind", ["linear", "random_orthogonal"])
def test_projectors_map_widths_and_keep_lengths_at_first(kind, widths):
    features = (torch.rand(4, 3, width) for width in widths)
    projector = create_projection(kind, *features).student

    shorter = min(widths)
    weight = projector.weight if widths[1] <= widths[0] else projector.weight.T
    assert projector(torch.rand(2, 3, widths[0])).shape == (2, 3, widths[1])
    torch.testing.assert_close(weight @ weight.T, torch.eye(shorter), rtol=0, atol=1e-5)


def test_only_the_linear_projector_is_trained():
    features = torch.rand(4, 1, 2), torch.rand(4, 1, 3)

    trained, fixed = (
        create_projection(kind, *features) for kind in ("linear", "random_orthogonal")
    )

    assert trained.student.weight.requires_grad
    assert not fixed.student.weight.requires_grad


def test_the_loss_reaches_the_trained_projector(batch, network, teacher, modules_of):
    student, term = network().train(), CovarianceAlignment()
    modules = modules_of(term, student, teacher)

    term.loss(batch(student, teacher), modules).backward()

    assert modules["projection-1"].student.weight.grad.abs().sum() > 0


def test_unequal_widths_without_a_projector_are_refused_in_one_sentence(
    network, teacher, modules_of
):
    with pytest.raises(
        ValueError, match="student has 16 channels and the teacher 64; set"
    ) as error:
        modules_of(CovarianceAlignment(projector="none"), network(), teacher)

    assert "\n" not in str(error.value)


@pytest.mark.parametrize("term", [GramAlignment(), CovarianceAlignment(axis="sample")])
def test_sample_moments_of_unequal_widths_need_no_projector(
    term, batch, network, teacher, modules_of
):
    student = network()

    modules = modules_of(term, student, teacher)

    assert len(modules) == 0
    assert term.loss(batch(student, teacher), modules).isfinite()


def test_pca_keeps_the_teachers_principal_components(batch, network, teacher, modules_of):
    term = CovarianceAlignment(projector="pca", domains="clean", normalize="none")
    student = network().train()
    modules = modules_of(term, student, teacher)
    material = batch(student, teacher)

    loss = term.loss(material, modules)

    weight = modules["projection-1"].teacher.weight
    images = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    pooled = teacher.outputs(images, (-1,)).features[-1].mean(dim=1).double()
    variances, _ = torch.linalg.eigh(pooled.T.cov(correction=0))[0].sort(descending=True)
    projected = (pooled @ weight.double().T).T.cov(correction=0)
    torch.testing.assert_close(projected.diagonal(), variances[:16], rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(weight @ weight.T, torch.eye(16), rtol=0, atol=1e-5)
    assert not weight.requires_grad
    assert loss > 0


def test_pca_of_too_few_components_is_refused_in_one_sentence(network, teacher, modules_of):
    with pytest.raises(ValueError, match=r"student may have at most 16 .*, got 64; set projector"):
        modules_of(CovarianceAlignment(projector="pca"), teacher, network())


# what the papers leave open


def reference(student, teacher, centered):
    """Channel moments of pooled features, by torch.cov where they are centred."""
    pooled = [features.mean(dim=1) for features in (student, teacher)]
    if centered:
        return [samples.T.cov(correction=0) for samples in pooled]
    return [samples.T @ samples / len(samples) for samples in pooled]


@pytest.mark.parametrize("centered", [True, False])
def test_norms_and_normalisations_by_hand(centered, batch, network):
    student, teacher = network().train(), network().eval()
    material = batch(student, teacher)
    moment, target = reference(
        material.clean.student.features[-1], material.clean.teacher.features[-1], centered
    )
    gap = (moment - target).norm()
    shapes = (moment / moment.norm() - target / target.norm()).norm()
    by_hand = {
        ("none", "squared"): gap**2,
        ("none", "norm"): gap,
        ("teacher", "squared"): gap**2 / target.norm() ** 2,
        ("teacher", "norm"): gap / target.norm(),
        ("frobenius", "squared"): shapes**2,
        ("frobenius", "norm"): shapes,
    }

    for (normalize, distance), expected in by_hand.items():
        term = CovarianceAlignment(
            projector="none",
            domains="clean",
            centered=centered,
            normalize=normalize,
            distance=distance,
        )
        torch.testing.assert_close(term.loss(material, NO_MODULES), expected)


def test_the_unbiased_covariance_divides_by_one_less():
    features = torch.randn(6, 2, 3)

    covariance = second_moment(
        features, axis="channel", pool="average", centered=True, unbiased=True
    )

    torch.testing.assert_close(covariance, features.mean(dim=1).T.cov())


def test_unit_rows_compare_directions_alone():
    features = torch.randn(6, 1, 3)
    lengths = torch.rand(6, 1, 1) + 0.5
    settings = {"axis": "sample", "pool": "average", "centered": False, "unit_rows": True}

    grams = [second_moment(scaled, **settings) for scaled in (features, lengths * features)]

    torch.testing.assert_close(grams[0], grams[1])
    torch.testing.assert_close(3 * grams[0].diagonal(), torch.ones(6))


def test_the_position_gram_compares_positions_image_by_image():
    features = torch.randn(4, 3, 5)

    gram = second_moment(features, axis="position", pool="average", centered=False)

    torch.testing.assert_close(gram[2], features[2] @ features[2].T / 5)
    assert gram.shape == (4, 3, 3)


def test_a_position_gram_of_unequal_positions_is_refused_in_one_sentence(network, modules_of):
    term = GramAlignment(axis="position", taps=(-1,))

    with pytest.raises(ValueError, match="feature map has 16 and the teacher's 4; tap") as error:
        modules_of(term, network(), network("small_resnet8"))

    assert "\n" not in str(error.value)


@pytest.mark.parametrize("source", ["logits", "probabilities"])
@pytest.mark.parametrize("axis", ["sample", "channel"])
def test_moments_of_predictions_need_no_projector(source, axis, batch, network, teacher):
    student = network().train()
    material = batch(student, teacher, layers=())
    term = GramAlignment(source=source, axis=axis, domains="clean", normalize="none")

    loss = term.loss(material, NO_MODULES)

    values = [material.clean.student.logits, material.clean.teacher.logits]
    if source == "probabilities":
        values = [logits.softmax(dim=1) for logits in values]
    moments = [v.T @ v / 8 if axis == "channel" else v @ v.T / 10 for v in values]
    torch.testing.assert_close(loss, (moments[0] - moments[1]).square().sum())
    assert term.layers == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"axis": "sample", "running": 0.9}, "running and unbiased belong to axis 'channel', got"),
        ({"axis": "position", "source": "logits"}, "axis 'position' needs source 'features', got"),
        ({"taps": (0,)}, "less than 0"),
        ({"running": 1.0}, "less than 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        GramAlignment.model_validate(settings)


# running moments


def test_a_running_moment_is_the_exponential_mean_without_bias():
    moments, running = [torch.randn(2, 2) for _ in range(3)], RunningMoment(2, 0.8)

    means = [running(moment) for moment in moments]

    torch.testing.assert_close(means[0], moments[0])
    weights = torch.tensor([0.64, 0.8, 1.0])
    by_hand = sum(w * m for w, m in zip(weights, moments, strict=True)) / weights.sum()
    torch.testing.assert_close(means[2], by_hand)


def test_a_running_moment_passes_a_gradient_to_the_newest_one_alone():
    old, new = (torch.randn(2, 2, requires_grad=True) for _ in range(2))
    running = RunningMoment(2, 0.8)
    running(old)

    running(new).sum().backward()

    assert old.grad is None
    torch.testing.assert_close(new.grad, torch.full((2, 2), 1 / 1.8))


def test_a_running_moment_remembers_in_train_mode_alone():
    running = RunningMoment(2, 0.8)
    running(torch.eye(2))
    before = {key: value.clone() for key, value in running.state_dict().items()}

    running.eval()(torch.randn(2, 2))

    assert all(torch.equal(value, before[key]) for key, value in running.state_dict().items())


def test_running_moments_of_small_batches_come_nearer_to_that_of_all_than_a_batch_does():
    samples = torch.randn(600, 1, 8) @ torch.diag(torch.linspace(0.5, 2.0, 8))
    settings = {"axis": "channel", "pool": "average", "centered": True, "unbiased": True}
    whole, running = second_moment(samples, **settings), RunningMoment(8, 0.98)

    single = [second_moment(part, **settings) for part in samples.split(6)]
    for moment in single:
        after_all = running(moment)

    errors = torch.stack([(moment - whole).norm() for moment in single])
    assert (after_all - whole).norm() < 0.3 * errors.mean()


@pytest.mark.parametrize(
    "term",
    [
        CovarianceAlignment(running=0.9),
        GramAlignment(running=0.9, axis="channel", projector="linear"),
    ],
)
def test_running_moments_are_kept_for_each_network_and_domain(
    term, batch, network, teacher, modules_of
):
    student = network().train()
    modules = modules_of(term, student, teacher)

    losses = [term.loss(batch(student, teacher), modules) for _ in range(2)]

    remembered = {key for key in modules if "projection" not in key}
    assert remembered == {f"{who}-1_{i}" for who in ("student", "teacher") for i in (0, 1)}
    assert all(modules[key].mean.abs().sum() > 0 for key in remembered)
    assert losses[1].isfinite()


@pytest.mark.parametrize(
    ("taps", "architecture"),
    [
        (("blocks.1",), "small_resnet8"),
        ((("blocks.1", "block3"), -2), "wide_resnet_10_1"),
        ((("blocks.0", -1),), "wide_resnet_10_1"),
    ],
)
def test_taps_may_be_names_and_pairs_of_names(taps, architecture, batch, network, modules_of):
    student, teacher = network(), network(architecture)
    term = CovarianceAlignment(taps=taps)

    term.loss(batch(student, teacher, layers=taps), modules_of(term, student, teacher)).backward()

    assert student.model.stem[0].weight.grad.abs().sum() > 0


def test_a_tap_by_name_is_the_same_as_by_place(batch, network):
    student, teacher = network(), network("small_resnet8")
    by_place, by_name, by_pair = (
        GramAlignment(taps=(tap,)) for tap in (-1, "blocks.2", ("blocks.1", "blocks.2"))
    )
    student_is_shallower = by_pair.loss(batch(student, teacher, layers=by_pair.taps), NO_MODULES)

    expected = by_place.loss(batch(student, teacher), NO_MODULES)

    assert torch.equal(student_is_shallower, expected)
    with pytest.raises(ValueError, match=r"unknown layer of SmallResNet 'blocks\.2'; did you mean"):
        by_name.loss(batch(student, teacher, layers=by_name.taps), NO_MODULES)


def test_taps_survive_a_config_file():
    term = CovarianceAlignment(taps=(("layer3", "block2"), -1, "layer4"))

    assert CovarianceAlignment.model_validate(term.model_dump(mode="json")) == term
