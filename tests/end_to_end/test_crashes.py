"""Studies whose driver or actor dies at an exact moment."""

import signal

import pytest

from benchmarks.crashes.agreement import disagreements

pytestmark = pytest.mark.end_to_end


def died_at(victim, moment):
    """Run the command until somebody dies at the moment; the exit code of the driver."""
    victim.plant(moment)
    code = victim.finish()
    assert victim.uproot() == moment, f"nobody came to {moment!r}: {victim.log.read_text()}"
    return code


def test_the_driver_may_die_at_every_exact_moment(victim):
    study = victim(with_teacher=False)
    moments = [
        "half study.yaml",
        "before prepare_teachers",
        "after Ledger.enter",
        "after Ledger.report",
        "before Search._end",
        "half report.html",
        "before MlflowStudy.finish",
    ]

    codes = [died_at(study, moment) for moment in moments]
    last = study.finish()

    assert codes == [-signal.SIGKILL] * len(moments)
    assert last == 0, study.log.read_text()
    assert disagreements(study) == []


def test_a_half_written_checkpoint_is_not_loaded_and_its_trial_goes_on(victim):
    study = victim(trials=2)

    code = died_at(study, "half checkpoint.pt")

    assert code == 0, study.log.read_text()
    assert disagreements(study) == []
    assert not list(study.directory.path.glob("trials/*/.checkpoint.pt.*/*")), "half a file is left"
