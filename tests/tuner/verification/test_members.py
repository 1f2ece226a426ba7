import pytest
from make_records import make_record, make_results, make_study

from tuner.analysis.results import Results
from tuner.verification.members import candidates

MINIMISE_PARAMETERS = [
    {"metric": "val/clean_accuracy"},
    {"metric": "val/robust_accuracy"},
    {"metric": "student/parameters", "direction": "minimize"},
]


def roles(results, neighbours=5):
    return [(found.record.number, found.role) for found in candidates(results, neighbours)]


def test_the_front_comes_first_then_neighbours_nearest_first():
    results = make_results((0.95, 0.40), (0.93, 0.38), (0.94, 0.39), (0.70, 0.20))

    assert roles(results) == [(0, "front"), (2, "neighbour"), (1, "neighbour")]


def test_a_neighbour_says_how_far_behind_whom_it_is():
    (_, neighbour) = candidates(make_results((0.95, 0.40), (0.94, 0.37)), 5)

    assert neighbour.why == "at most 3.0 points behind trial 0, within noise"


def test_a_trial_behind_on_one_accuracy_beyond_noise_is_no_neighbour():
    assert roles(make_results((0.95, 0.60), (0.95, 0.40))) == [(0, "front")]


def test_whoever_one_member_of_the_front_beats_beyond_noise_is_no_neighbour():
    results = make_results((0.95, 0.30), (0.90, 0.60), (0.89, 0.29))

    assert roles(results) == [(0, "front"), (1, "front")]


def test_there_are_at_most_so_many_neighbours():
    results = make_results((0.95, 0.40), (0.94, 0.39), (0.94, 0.38))

    assert roles(results, neighbours=1) == [(0, "front"), (1, "neighbour")]
    assert roles(results, neighbours=0) == [(0, "front")]


def test_without_a_known_number_of_images_noise_is_not_known():
    records = [make_record(i, 0.9 - i / 100, 0.4, images=None) for i in range(2)]

    assert roles(Results(make_study(), records)) == [(0, "front")]


def test_parameters_have_no_noise_and_decide_nothing():
    results = make_results((0.9, 0.4, 1000), (0.89, 0.4, 4000), objectives=MINIMISE_PARAMETERS)

    assert roles(results) == [(0, "front"), (1, "neighbour")]


def test_baselines_are_there_once_and_one_on_the_front_is_of_the_front():
    records = [
        make_record(0, 0.90, 0.40),
        make_record(1, 0.99, 0.01, label="plain KD"),
        make_record(2, 0.89, 0.39, label="AT only"),
    ]

    assert roles(Results(make_study(), records)) == [(1, "front"), (0, "front"), (2, "baseline")]


def test_a_neighbour_holds_the_constraints():
    bounds = [{"metric": "val/clean_accuracy", "at_least": 0.945}]
    results = make_results((0.95, 0.40), (0.94, 0.45), constraints=bounds)

    assert roles(results) == [(0, "front")]


def test_a_study_without_complete_trials_has_nothing_to_verify():
    with pytest.raises(ValueError, match="has no complete trial yet"):
        candidates(make_results(), 5)
