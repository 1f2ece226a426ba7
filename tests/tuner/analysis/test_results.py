import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_records import make_record, make_results, make_search, make_study
from optuna._hypervolume import compute_hypervolume

from tuner.analysis.picks import pick
from tuner.analysis.results import Results
from tuner.quantities import attack_name, count
from tuner.records import TrialState
from tuner.search.front_geometry import hypervolume, hypervolume_2d, knee, non_dominated_ranks

# a coarse grid, so that ties and equal points really come up
share = st.integers(0, 8).map(lambda eighths: eighths / 8)
points = st.lists(st.tuples(share, share), min_size=1, max_size=24)
points_3d = st.lists(st.tuples(share, share, share), min_size=1, max_size=12)
CORNER = np.zeros(2)
MINIMISE_PARAMETERS = [
    {"metric": "val/clean_accuracy"},
    {"metric": "val/robust_accuracy"},
    {"metric": "student/parameters", "direction": "minimize"},
]


def beats(a, b):
    return all(x >= y for x, y in zip(a, b, strict=True)) and a != b


def numbers(records):
    return [record.number for record in records]


def test_hypervolume_is_the_area_of_the_union_of_rectangles():
    results = make_results((0.8, 0.25), (0.5, 0.5), (0.4, 0.4))

    assert results.hypervolume == pytest.approx(0.8 * 0.25 + 0.5 * 0.25)


def test_hypervolume_of_one_trial_is_its_rectangle():
    assert make_results((0.9, 0.4)).hypervolume == pytest.approx(0.36)


def test_hypervolume_with_parameters_counts_from_the_largest_student_seen():
    results = make_results((0.5, 0.5, 1000.0), (0.5, 0.5, 4000.0), objectives=MINIMISE_PARAMETERS)

    assert results.hypervolume == pytest.approx(0.5 * 0.5 * 3000)


def test_a_point_beyond_the_reference_counts_for_nothing():
    losses = np.array([[0.5, 2.0], [3.0, 0.1]])

    assert hypervolume(losses, np.array([1.0, 1.0])) == 0.0


@given(points)
def test_hypervolume_in_two_dimensions_equals_optunas(values):
    losses = -np.array(values)

    assert hypervolume_2d(losses, CORNER) == pytest.approx(compute_hypervolume(losses, CORNER))


@given(points_3d)
@settings(max_examples=40)
def test_hypervolume_in_three_dimensions_equals_ours_on_a_slab(values):
    flat = np.array([(x, y, 1.0) for x, y, _ in values])

    volume = hypervolume(-flat, np.zeros(3))

    assert volume == pytest.approx(hypervolume_2d(-flat[:, :2], CORNER))


@given(points)
def test_hypervolume_never_falls_as_trials_complete(values):
    history = [volume for _, volume in make_results(*values).hypervolume_history]

    assert history == sorted(history)


def test_hypervolume_history_is_in_order_of_completion():
    early, late = make_record(1, 0.5, 0.5), make_record(0, 0.9, 0.9)
    early, late = (
        type(early)(**{**vars(early), "ended": late.ended}),
        type(late)(**{**vars(late), "ended": early.ended}),
    )

    results = Results(make_study(), [late, early])

    assert results.hypervolume_history == [(1, pytest.approx(0.25)), (0, pytest.approx(0.81))]


@given(points)
def test_the_front_is_what_nobody_beats_and_beats_all_others(values):
    results = make_results(*values)

    front = set(numbers(results.front))
    beaten = {i for i, b in enumerate(values) if any(beats(a, b) for a in values)}
    beaten_by_front = {i for i, b in enumerate(values) if any(beats(values[f], b) for f in front)}
    assert front == set(range(len(values))) - beaten
    assert beaten_by_front == beaten


@given(points_3d)
def test_ranks_are_fronts_peeled_one_after_another(values):
    ranks = non_dominated_ranks(-np.array(values))

    for i, value in enumerate(values):
        above = [ranks[j] for j, other in enumerate(values) if beats(other, value)]
        assert ranks[i] == max(above, default=-1) + 1


def test_equal_trials_are_all_on_the_front():
    results = make_results((0.9, 0.4), (0.9, 0.4), (0.8, 0.4))

    assert numbers(results.front) == [0, 1]


def test_the_front_goes_from_the_best_first_objective_to_the_worst():
    results = make_results((0.7, 0.6), (0.9, 0.4), (0.8, 0.5))

    assert numbers(results.front) == [1, 2, 0]


def test_a_smaller_student_with_equal_accuracy_beats_a_larger_one():
    results = make_results((0.9, 0.4, 2000.0), (0.9, 0.4, 1000.0), objectives=MINIMISE_PARAMETERS)

    assert results.ranks == {0: 1, 1: 0}


def test_stopped_failed_and_running_trials_are_not_on_the_front():
    others = [
        make_record(i, 0.99, 0.99, state=s) for i, s in enumerate(TrialState) if s != "complete"
    ]

    results = Results(make_study(), [*others, make_record(9, 0.5, 0.5)])

    assert numbers(results.front) == [9]


def test_the_knee_of_a_quarter_circle_is_its_middle():
    angles = np.linspace(0, np.pi / 2, 9)

    assert knee(-np.stack([np.cos(angles), np.sin(angles)], axis=1)) == 4


def test_the_knee_does_not_depend_on_the_units_of_an_objective():
    angles = np.linspace(0, np.pi / 2, 9)

    assert knee(-np.stack([1e6 * np.cos(angles), 5 + np.sin(angles)], axis=1)) == 4


def test_the_knee_lies_beyond_the_line_and_never_in_a_dent():
    assert knee(-np.array([[1.0, 0.0], [0.4, 0.4], [0.0, 1.0]])) == 0


@pytest.mark.parametrize("values", [[(0.9, 0.4)], [(0.9, 0.4), (0.8, 0.5)]])
def test_the_knee_of_one_or_two_points_is_the_first(values):
    assert make_results(*values).knee.number == 0


FRONT = ((0.95, 0.30), (0.90, 0.45), (0.80, 0.50), (0.70, 0.20))


@pytest.mark.parametrize(
    ("which", "number"),
    [
        ("knee", 1),
        ("max-clean", 0),
        ("max-robust", 2),
        ("robust>=0.45", 1),
        ("robust>0.45", 2),
        ("robust >= .2", 0),
        ("clean>=0.85", 1),
        ("trial:3", 3),
    ],
)
def test_pick_finds_the_trial(which, number):
    assert pick(make_results(*FRONT), which).number == number


@pytest.mark.parametrize(
    ("which", "sentence"),
    [
        ("best", "unknown pick 'best'; allowed are forms such as knee, max-clean"),
        ("robust<0.4", "unknown pick"),
        ("robust>=0.6", r"the best is 0\.5000 \(trial 2\)"),
        ("clean>0.95", r"the best is 0\.9500"),
        ("trial:8", "trial 8 is not in the study"),
        ("trial:4", "trial 4 is failed; only complete trials"),
    ],
)
def test_pick_says_in_a_sentence_what_is_wrong(which, sentence):
    records = [*make_results(*FRONT).records, make_record(4, state=TrialState.failed)]

    with pytest.raises(ValueError, match=sentence):
        pick(Results(make_study(), records), which)


def test_pick_from_a_study_without_complete_trials_says_so():
    with pytest.raises(ValueError, match="'digits-small' has no complete trial"):
        pick(make_results(), "knee")


def test_pick_by_an_objective_that_the_study_does_not_have_says_so():
    results = make_results((0.9,), objectives=[{"metric": "val/clean_accuracy"}])

    with pytest.raises(ValueError, match="'robust' means val/robust_accuracy, which study"):
        pick(results, "max-robust")


@given(points, share)
def test_pick_under_a_constraint_is_the_best_of_all_trials_that_hold_it(values, bound):
    holding = [value for value in values if value[1] >= bound] or [(0.0, 0.0)]
    results = make_results(*values, (0.0, 1.0))

    picked = pick(results, f"robust>={bound}").values["val/clean_accuracy"]

    assert picked == max(clean for clean, _ in holding)


def test_gain_compares_the_knee_of_a_student_with_its_own_baselines():
    records = [
        make_record(0, 0.90, 0.50),
        make_record(1, 0.99, 0.99, student="small_resnet6"),
        make_record(2, 0.92, 0.40, label="L_AT only"),
    ]

    (gain,) = Results(make_study(), records).baseline_gain

    assert gain.best.number == 0
    assert gain.gains == pytest.approx({"val/clean_accuracy": -0.02, "val/robust_accuracy": 0.10})
    assert gain.free == {}


def test_a_free_gain_is_the_largest_without_loss_elsewhere():
    records = [
        make_record(0, 0.90, 0.60),
        make_record(1, 0.92, 0.45),
        make_record(2, 0.93, 0.42),
        make_record(3, 0.92, 0.40, label="L_AT only"),
    ]

    (gain,) = Results(make_study(), records).baseline_gain

    free = {metric: record.number for metric, record in gain.free.items()}
    assert free == {"val/robust_accuracy": 1, "val/clean_accuracy": 2}


def test_fewer_parameters_are_a_gain():
    records = [
        make_record(0, 0.9, 0.4, 1000.0),
        make_record(1, 0.9, 0.4, 4000.0, label="L_AT only"),
    ]

    (gain,) = Results(make_study(objectives=MINIMISE_PARAMETERS), records).baseline_gain

    assert gain.gains["student/parameters"] == 3000


def test_summary_counts_every_trial_once():
    summary = make_search().summary

    states = sum(summary[f"trials/{state}"] for state in TrialState)
    assert states == summary["trials/total"] == 52
    assert summary["best/clean_accuracy"] == pytest.approx(0.983)


def test_a_study_without_trials_has_an_empty_front():
    results = make_results()

    assert results.front == []
    assert results.summary["hypervolume"] == 0


def test_the_attack_is_named_with_all_that_decides_its_strength():
    name = attack_name(make_record(0, 0.9, 0.4).config)

    assert name == "margin PGD-20, step 0.25 epsilon, Linf epsilon 0.15"


@pytest.mark.parametrize(
    ("number", "text"), [(987, "987"), (78042, "78 k"), (11_173_962, "11.2 M")]
)
def test_counts_have_three_figures(number, text):
    assert count(number) == text
