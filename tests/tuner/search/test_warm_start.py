"""Learning from earlier studies, without Ray."""

import math

import pytest
from optuna.trial import TrialState as OptunaState

from tuner.records import Cause
from tuner.search.search import Search
from tuner.search.warm_start import load_earlier
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig

TEACHERS = {"resnet": {"architecture": "small_resnet8"}}
STUDY = {
    "name": "later",
    "trials": 6,
    "base": {"epochs": 9},
    "teachers": TEACHERS,
    "first_trials": [],
    "sampler": {"name": "random"},
    "scheduler": {"name": "fifo"},
}
STUDENT, GRAM = "student/architecture", "alignments/gram"


def make_study(**changes):
    return StudyConfig.model_validate({**STUDY, **changes})


def report(clean, robust):
    return {
        "epoch": 9,
        "val/clean_accuracy": clean,
        "val/robust_accuracy": robust,
        "student/parameters": 1000.0,
    }


@pytest.fixture
def earlier(tmp_path):
    """``earlier(**changes)``: the directory of a finished study of six trials."""

    def run(**changes):
        study = make_study(name="earlier", **changes)
        place = StudyDirectory(tmp_path / "earlier")
        place.claim(study)
        search = Search(study, Ledger(study, place.path), patience=math.inf)
        while (record := search.ask()) is not None:
            values = report(0.9 - record.number / 100, 0.3 + record.number / 100)
            search.report(record.number, values, done=True)
        return str(place.path)

    return run


def records_of(directory):
    place = StudyDirectory(directory)
    return Ledger(place.study(), place.path).records()


def lessons(**changes):
    return load_earlier(make_study(**changes)).lessons


def test_every_ended_trial_of_an_earlier_study_is_learnt(earlier, tmp_path):
    directory = earlier()

    learnt = lessons(warm_start=[directory])

    before = records_of(tmp_path / "earlier")
    assert list(learnt) == [(directory, number) for number in range(6)]
    assert [lesson.params for lesson in learnt.values()] == [record.params for record in before]
    assert [lesson.values for lesson in learnt.values()] == [
        pytest.approx((0.9 - n / 100, 0.3 + n / 100)) for n in range(6)
    ]


def test_a_warm_start_changes_what_tpe_proposes(earlier, tmp_path):
    study = make_study(
        trials=1, sampler={"name": "tpe", "startup_trials": 5}, warm_start=[earlier()]
    )

    def propose(knowing, name):
        (tmp_path / name).mkdir()
        ledger = Ledger(study, tmp_path / name)
        return Search(study, ledger, earlier=knowing, patience=math.inf).ask().params

    assert propose(load_earlier(study), "warm") != propose(None, "cold")


def test_what_was_lost_teaches_nothing_and_what_diverged_does(tmp_path):
    study = make_study(name="earlier", trials=3)
    place = StudyDirectory(tmp_path / "earlier")
    place.claim(study)
    search = Search(study, Ledger(study, place.path), patience=math.inf)
    for cause in (Cause.diverged, Cause.worker_died, None):
        number = search.ask().number
        if cause:
            search.fail(number, f"{cause}: x")

    learnt = lessons(warm_start=[str(place.path)])

    (lesson,) = learnt.values()
    assert (lesson.state, lesson.values, lesson.violation) == (OptunaState.COMPLETE, None, 1.0)


def test_trials_outside_narrower_ranges_are_left_out(earlier, tmp_path):
    directory = earlier(trials=12)
    ranges = {STUDENT: ["small_resnet6", "small_wide_resnet10"]}

    learnt = lessons(warm_start=[directory], ranges=ranges)

    inside = [r.number for r in records_of(tmp_path / "earlier") if r.student in ranges[STUDENT]]
    assert [number for _, number in learnt] == inside
    assert 0 < len(inside) < 12
    assert {d.choices for le in learnt.values() for d in [le.distributions[STUDENT]]} == {
        tuple(ranges[STUDENT])
    }


def test_trials_at_odds_with_what_is_fixed_now_are_left_out(earlier, tmp_path):
    directory = earlier(trials=12)

    learnt = lessons(warm_start=[directory], fixed={GRAM: False})

    off = [r.number for r in records_of(tmp_path / "earlier") if not r.params[GRAM]]
    assert [number for _, number in learnt] == off
    assert all(GRAM not in lesson.params for lesson in learnt.values())


def test_trials_of_another_fixed_value_are_left_out(earlier):
    directory = earlier(fixed={STUDENT: "small_resnet6"})

    with pytest.raises(ValueError, match="no ended trial within this study's space"):
        lessons(warm_start=[directory], fixed={STUDENT: "vit_pico_patch2_8"})


def test_what_was_fixed_to_the_same_value_is_learnt(earlier):
    fixed = {STUDENT: "small_resnet6"}

    assert len(lessons(warm_start=[earlier(fixed=fixed)], fixed=fixed)) == 6


def test_trials_of_a_teacher_that_is_no_candidate_now_are_left_out(earlier):
    other = {"wide": {"architecture": "small_wide_resnet10"}}

    with pytest.raises(ValueError, match="no ended trial within this study's space"):
        lessons(
            warm_start=[earlier(teachers=other, fixed={"alignments/logits": True})],
            fixed={"alignments/logits": True},
        )


def test_one_of_several_earlier_teachers_can_be_chosen(earlier, tmp_path):
    both = {**TEACHERS, "wide": {"architecture": "small_wide_resnet10"}}
    always = {"alignments/logits": True}
    directory = earlier(teachers=both, fixed=always, trials=8)

    learnt = lessons(warm_start=[directory], fixed=always)

    before = records_of(tmp_path / "earlier")
    assert [n for _, n in learnt] == [r.number for r in before if r.teacher == "resnet"]


def test_replicates_teach_their_mean(tmp_path):
    study = make_study(name="earlier", trials=2, replicates=2)
    place = StudyDirectory(tmp_path / "earlier")
    place.claim(study)
    search = Search(study, Ledger(study, place.path), patience=math.inf)
    for clean in (0.9, 0.7):
        search.report(search.ask().number, report(clean, 0.4), done=True)

    (lesson,) = lessons(warm_start=[str(place.path)]).values()

    assert lesson.values == pytest.approx((0.8, 0.4))


REFUSED = {
    "a wider space": (
        {"ranges": {STUDENT: ["small_resnet6"]}},
        {},
        "searched 'student/architecture' in .*, this study searches it in .* or a wider one",
    ),
    "a wider range": (
        {"ranges": {f"{GRAM}/weight": [0.1, 1.0]}},
        {},
        "searched 'alignments/gram/weight' in .*a warm start needs the same space",
    ),
    "a parameter that was fixed": (
        {"fixed": {STUDENT: "small_resnet6"}},
        {},
        "did not search 'student/architecture', which this study does",
    ),
    "another space": (
        {},
        {"search_space": "methods"},
        "did not search 'method/name', which this study does",
    ),
    "other objectives": (
        {},
        {"objectives": [{"metric": "val/robust_accuracy"}]},
        "has objectives val/clean_accuracy, val/robust_accuracy, but this study val/robust_acc",
    ),
    "another base": (
        {},
        {"base": {"epochs": 12}},
        "is of another task, its values do not compare: base/epochs was 9 and is now 12",
    ),
    "another teacher of the same name": (
        {},
        {"teachers": {"resnet": {"architecture": "small_wide_resnet10"}}},
        "teachers/resnet/architecture was 'small_resnet8' and is now 'small_wide_resnet10'",
    ),
}


@pytest.mark.parametrize(("before", "now", "words"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_compare_is_refused_with_the_difference(earlier, before, now, words):
    directory = earlier(**before)

    with pytest.raises(ValueError, match=words) as caught:
        lessons(warm_start=[directory], **now)

    assert str(caught.value).startswith(f"warm_start {directory} ")
    assert "\n" not in str(caught.value)


def test_seed_and_machine_may_differ(earlier):
    assert len(lessons(warm_start=[earlier()], base={"epochs": 9, "seed": 7})) == 6


def test_what_is_neither_study_nor_config_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"'no\.yaml', which is neither a study's directory nor"):
        lessons(warm_start=["no.yaml"])
    with pytest.raises(ValueError, match="holds no study"):
        lessons(warm_start=[str(tmp_path)])
