"""A search space's code must stay what it was when its study began."""

import pytest

from tuner.search import space_identity
from tuner.search.space_identity import require_same_space
from tuner.storage.ledger import Ledger
from tuner.study import StudyConfig

SPACE = """
def space(trial):
    trial.suggest_float("optimizer/learning_rate", 0.001, {high})
    return {{}}
"""


@pytest.fixture
def space(tmp_path, monkeypatch):
    """``space(module, high)``: writes a user's module; the study that searches it."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(module, high):
        (tmp_path / f"{module}.py").write_text(SPACE.format(high=high))
        return StudyConfig(name="own", search_space=f"{module}:space", first_trials=[])

    return write


def test_a_changed_range_is_refused_with_the_difference(space, tmp_path):
    study = space("first_space", 0.1)
    ledger = Ledger(study, tmp_path)
    require_same_space(study, ledger)
    changed = space("second_space", 0.2)

    with pytest.raises(ValueError, match="has changed since the study began") as caught:
        require_same_space(changed, ledger)

    assert "optimizer/learning_rate was 'FloatDistribution(high=0.1" in str(caught.value)
    assert "and is now 'FloatDistribution(high=0.2" in str(caught.value)


def test_the_same_space_is_accepted_again(space, tmp_path):
    study = space("same_space", 0.1)

    require_same_space(study, Ledger(study, tmp_path))
    require_same_space(study, Ledger(study, tmp_path))

    assert list(space_identity.describe_space(study)) == ["optimizer/learning_rate"]
