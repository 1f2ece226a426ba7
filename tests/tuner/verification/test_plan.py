import dataclasses

import pytest
from make_records import make_config, make_record
from make_verification import make_run, study_of

from trainables.measuring.attack_text import parse_attack
from trainables.measuring.named_attacks import NAMED_ATTACKS, NamedAttack
from tuner.analysis.results import Results
from tuner.records import TrialState
from tuner.storage.directory import StudyDirectory
from tuner.verification.plan import Asked, assemble, make_plan, validation_attack

ASKED = Asked(2, parse_attack("autoattack"), None, 5, None, gates=True, seed=0)


@pytest.fixture
def place(tmp_path):
    """A study whose trials 0, 1 and 2 left their checkpoints."""
    directory = StudyDirectory(tmp_path / "study")
    for number in range(3):
        directory.trial(number).mkdir(parents=True)
        (directory.trial(number) / "checkpoint.pt").touch()
    return directory


def plan_of(place, records, **changes):
    results = Results(study_of().study, records)
    return make_plan(results, place, dataclasses.replace(ASKED, **changes))


def seeds(plan):
    return [(student.member, student.seed, student.trial) for student in plan.students]


def with_seed(number, seed, *, repeats=None):
    config = {**make_config(), "seed": seed}
    record = make_record(number, 0.9, 0.4, config=config)
    return dataclasses.replace(record, repeats=repeats)


def test_replicates_of_the_study_are_its_seeds_and_only_the_rest_is_trained(place):
    records = [with_seed(0, 0), with_seed(1, 1, repeats=0)]

    plan = plan_of(place, records, seeds=3)

    assert seeds(plan) == [(0, 0, 0), (0, 1, 1), (0, 2, None)]
    assert [student.seed for student in plan.to_train] == [2]
    assert plan.students[1].checkpoint == place.trial(1).resolve() / "checkpoint.pt"
    assert plan.students[2].folder == place.path.resolve() / "verification" / "0000" / "2"
    assert plan.students[2].config["seed"] == 2


def test_the_first_seed_of_everyone_comes_before_any_second_one(place):
    records = [make_record(0, 0.95, 0.30), make_record(1, 0.90, 0.50)]

    assert [student[:2] for student in seeds(plan_of(place, records))] == [
        (0, 0),
        (1, 0),
        (0, 1),
        (1, 1),
    ]


def test_a_trial_whose_checkpoint_is_gone_is_trained_again(place):
    (place.trial(0) / "checkpoint.pt").unlink()

    assert seeds(plan_of(place, [with_seed(0, 0)], seeds=1)) == [(0, 0, None)]


def test_a_replicate_of_a_trial_that_failed_stands_for_its_config(place):
    failed = make_record(0, state=TrialState.failed, reason="diverged: loss was nan")

    assert seeds(plan_of(place, [failed, with_seed(1, 1, repeats=0)])) == [(1, 1, 1), (1, 2, None)]


def test_a_seed_that_two_trials_share_counts_once(place):
    records = [with_seed(0, 0), with_seed(1, 0, repeats=0)]

    assert seeds(plan_of(place, records)) == [(0, 0, 0), (0, 1, None)]


@pytest.mark.parametrize(
    ("epsilons", "radii"),
    [(None, [0.075, 0.15, 0.225]), ((0.15,), [0.15]), ((8 / 255,), [8 / 255, 0.15])],
)
def test_the_studys_own_radius_is_always_among_the_radii(place, epsilons, radii):
    plan = plan_of(place, [with_seed(0, 0)], epsilons=epsilons)

    assert [threat.epsilon for threat in plan.request.threats] == pytest.approx(radii)


def test_the_test_split_faces_the_studys_own_attack_too(place):
    plan = plan_of(place, [with_seed(0, 0)])

    own, deciding = plan.request.attacks
    assert own == NamedAttack(loss="margin", steps=20, step=0.25, step_unit="epsilon")
    assert deciding.key == "autoattack"
    assert (plan.request.split, plan.num_images) == ("test", 300)


def test_an_attack_that_is_the_studys_own_is_measured_once(place):
    own = validation_attack(study_of().study)

    assert plan_of(place, [with_seed(0, 0)], attack=own).request.attacks == (own,)


def test_more_images_than_the_test_split_has_are_refused(place):
    with pytest.raises(ValueError, match="--images must be at most 300, the size of the test"):
        plan_of(place, [with_seed(0, 0)], images=301)


def test_what_could_not_be_measured_stands_beside_what_was(place):
    plan = plan_of(place, [with_seed(0, 0)], attack=NAMED_ATTACKS["fgsm"])

    found = assemble(plan, {(0, 0): make_run(0, 285, 60), (0, 1): "diverged: loss was nan"})

    (member,) = found.members
    assert [run.seed for run in member.runs] == [0]
    assert member.failures == {1: "diverged: loss was nan"}
    assert member.validation["val/robust_accuracy"] == 0.4
