"""What every test shares: one thread and fixed seeds; and who runs which, in two processes."""

from pathlib import Path

import pytest
import torch

END_TO_END = Path(__file__).parent / "end_to_end"


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config, log):
    """Tests of a file share a process; files on the finished study do, too: it is run once."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class LoadStudyScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return "the finished study" if file in on_the_finished_study() else file

    return LoadStudyScheduling(config, log)


def on_the_finished_study():
    files = END_TO_END.glob("test_*.py")
    root = END_TO_END.parents[1]
    return {file.relative_to(root).as_posix() for file in files if "(finished" in file.read_text()}


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)
