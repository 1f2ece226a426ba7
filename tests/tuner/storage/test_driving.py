import pytest

from trainables.storage.object_store import UrlFolder
from trainables.storage.urls import completed
from tuner.storage import driving as module
from tuner.storage.directory import StudyDirectory
from tuner.storage.driving import check_services, driving
from tuner.study import StudyConfig
from tuner.study_names import directory_at

UNTRACKED = {"name": "small", "tracking": {"enabled": False}}


@pytest.fixture
def study(tmp_path):
    return StudyConfig.model_validate({**UNTRACKED, "storage": f"sqlite:///{tmp_path}/ledger.db"})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tracking": {"enabled": False}}, "needs a database, as no journal can be appended to"),
        ({"storage": "sqlite:///x.db"}, "has no place for a local mlflow.db; name a server by"),
    ],
)
def test_a_url_needs_its_services_to_be_named(s3, changes, sentence):
    study = StudyConfig.model_validate({"name": "small", **changes})

    with pytest.raises(ValueError, match=sentence) as caught:
        check_services(study, directory_at(f"{s3}/x"))

    assert f"({s3}/x)" in str(caught.value)


def test_a_path_needs_none(tmp_path):
    check_services(StudyConfig(name="small"), StudyDirectory(tmp_path))


def test_what_changes_is_put_there_while_the_study_is_driven(s3, study, monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.05)
    directory = directory_at(f"{s3}/x")
    there = UrlFolder(completed(f"{s3}/x"))

    with driving(directory, study):
        (directory.path / "study.yaml").write_text("name: small")
        while not there.files():
            pass
        (directory.path / "report.html").write_text("the end")

    assert set(there.files()) == {"study.yaml", "report.html"}


def test_what_a_node_puts_there_is_brought_to_the_driver(s3, study, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "EVERY", 0.05)
    directory = directory_at(f"{s3}/x")
    (tmp_path / "machine").write_text("{}")
    wanted = directory.trial(7) / "machine.json"

    with driving(directory, study):
        UrlFolder(completed(f"{s3}/x")).send(tmp_path / "machine", "trials/0007/machine.json")
        while not wanted.is_file():
            pass

    assert wanted.read_text() == "{}"


@pytest.mark.slow
def test_a_driver_on_another_machine_is_seen_and_keeps_others_out(s3, study, another_machine):
    with driving(directory_at(f"{s3}/x"), study):
        first = directory_at(f"{s3}/x")
        first.claim(study)
        first.copy.push()
        another_machine()
        second = directory_at(f"{s3}/x")

        with pytest.raises(ValueError, match="is being run by process"), driving(second, study):
            pass

        assert second.driver().startswith("process ")
    assert second.driver() is None


def test_who_was_taken_over_puts_nothing_there_any_more(s3, study, monkeypatch):
    monkeypatch.setattr(module.Lease, "is_lost", True)
    directory = directory_at(f"{s3}/x")

    with driving(directory, study):
        (directory.path / "report.html").write_text("of one who is out of date")

    assert UrlFolder(completed(f"{s3}/x")).files() == {}
