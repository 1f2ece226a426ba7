from make_records import make_record

from tuner.analysis.reasons import kinds
from tuner.records import TrialState


def stopped(*reasons):
    return [make_record(i, state=TrialState.stopped, reason=r) for i, r in enumerate(reasons)]


def test_reasons_that_differ_in_numbers_are_one_kind():
    found = kinds(stopped("rank 5 of 9 at rung 4", "rank 12 of 20 at rung 8", "cancelled"))

    assert found == [("rank … of … at rung …", 2), ("cancelled", 1)]


def test_a_reason_that_stands_alone_keeps_its_numbers():
    assert kinds(stopped("rank 5 of 9", "rank 5 of 9")) == [("rank 5 of 9", 2)]


def test_no_trial_has_no_reason():
    assert kinds([]) == []
