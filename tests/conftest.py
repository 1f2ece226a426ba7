"""What every test shares: one thread and fixed seeds; and who runs which, in two processes."""

import logging
from pathlib import Path
from uuid import uuid4

import pytest
import torch

END_TO_END = Path(__file__).parent / "end_to_end"
LONGEST = [
    "end_to_end/test_study.py",  # and all others on the finished study
    "end_to_end/test_crashes.py",
    "end_to_end/test_disturbances.py",
    "end_to_end/test_cluster_verbs.py",
    "end_to_end/test_mlflow_pages.py",
    "end_to_end/test_distributed.py",
    "test_planted_bugs.py",
    "trainables/test_timm_families.py",
    "trainables/measuring/test_autoattack.py",
    "trainables/test_distillation.py",
    "trainables/test_teachers.py",
    "trainables/test_layouts.py",
]
"""Files that are begun first, so that no process works alone in the end."""


def pytest_collection_modifyitems(items):
    """The longest files first, in this order; all others as they were found."""
    places = {END_TO_END.parent / file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config, log):
    """Tests of a file share a process; files on the finished study do, too: it is run once."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # files of many tests first; ours are sorted by time
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


@pytest.fixture(scope="session")
def s3_server():
    """An S3 server on this machine with a bucket ``studies``; its address."""
    import boto3  # heavy: for the tests that ask for it
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="studies")
    yield address
    server.stop()


@pytest.fixture
def s3(s3_server, tmp_path, monkeypatch):
    """URL of a folder that nobody else uses, on a machine that knows how to reach it."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    return f"s3://studies/{uuid4().hex}"


@pytest.fixture
def another_machine(tmp_path, monkeypatch):
    """``another_machine()``: from now on, this machine has no copy of anything."""

    def move():
        monkeypatch.setenv("TUNER_CACHE", str(tmp_path / uuid4().hex))

    return move
