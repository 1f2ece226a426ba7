"""The verbs on a study in a bucket, from a machine that has nothing of it."""

import json
import shutil

import pytest
import yaml
from job_server import JobServer
from typer.testing import CliRunner
from written_study import STUDY, write_study

from trainables.storage.object_store import UrlFolder
from trainables.storage.urls import completed
from tuner.cli import app
from tuner.doctor.examination import Patient, examine
from tuner.jobs.notes import job_of
from tuner.storage.working_copy import WorkingCopy
from tuner.study import StudyConfig
from tuner.study_names import directory_at


@pytest.fixture
def runs(s3):
    return f"{s3}/runs"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A study of twelve trials, and its ledger in a database beside it."""
    folder = tmp_path_factory.mktemp("written")
    database = f"sqlite:///{folder}/ledger.db"
    return write_study(folder, storage=database, tracking={"enabled": False})


@pytest.fixture
def url(runs, written, another_machine):
    """That study, as another machine has put it there."""
    copy = WorkingCopy.at(f"{runs}/small")
    shutil.copytree(written, copy.path, dirs_exist_ok=True)
    copy.push()
    another_machine()
    return f"{runs}/small"


@pytest.fixture
def tuner(tmp_path, monkeypatch):
    """``tuner("front", …)``: exit code and output, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return result.exit_code, result.output

    return run


def there(url):
    return set(UrlFolder(completed(url)).files())


def test_where_it_stands_is_told_with_the_url_in_the_commands(tuner, url):
    code, output = tuner("status", url)

    assert code == 0, output
    assert f"go on with: tuner resume {url}" in output or f"tuner front {url}" in output


def test_programs_are_told_the_url(tuner, url):
    code, output = tuner("status", url, "--json")

    assert code == 0, output
    assert json.loads(output)["directory"] == url


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (("front",), "small_resnet6"),
        (("importance",), "Importance in small"),
        (("logs", 1), "trial 1"),
    ],
)
def test_verbs_that_only_look_leave_the_bucket_alone(tuner, url, verb, words):
    before = there(url)

    code, output = tuner(verb[0], url, *verb[1:])

    assert code == 0, output
    assert words in output
    assert there(url) == before


def test_a_report_is_put_there(tuner, url):
    code, output = tuner("report", url)

    assert code == 0, output
    assert "report.html" in there(url)
    report = directory_at(url).report.read_text()
    assert f"tuner resume {url}" in report
    assert f"tuner evaluate {url}/trials/" in report


def test_an_exported_config_is_put_there(tuner, url):
    code, output = tuner("export", url)

    assert code == 0, output
    assert "exported/knee.yaml" in there(url)


def test_studies_in_a_bucket_are_listed(tuner, url, runs):
    code, output = tuner("ls", runs)

    assert code == 0, output
    assert f"tuner front {url}" in output


def test_a_url_without_a_study_says_where_to_look(tuner, runs):
    code, output = tuner("front", f"{runs}/nothing")

    assert code == 2
    assert f"{runs}/nothing holds no study; list the studies with: tuner ls {runs}" in output


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_missing_is_one_sentence(tuner):
    code, output = tuner("front", "s3://nobody-has-made-it/runs/small")

    assert code == 2
    assert "s3://nobody-has-made-it/runs/small: the bucket does not exist" in output


def test_another_study_is_refused_where_one_lives(tuner, url, tmp_path):
    other = {**STUDY, "base": {"epochs": 3}, "tracking": {"enabled": False}}
    other["storage"] = f"sqlite:///{tmp_path}/ledger.db"
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(other))

    code, output = tuner("run", "other.yaml", "--directory", url)

    assert code == 2
    assert f"directory {url} belongs to another study" in " ".join(output.split())


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_study_without_a_database_is_refused_before_anything_starts(tuner, runs, options):
    code, output = tuner("run", "digits", "--directory", f"{runs}/digits", *options)

    assert code == 2
    assert f"a study at a URL ({runs}/digits) needs a database" in output
    assert there(runs) == set()


def test_verifying_elsewhere_than_here_is_refused(tuner, url):
    code, output = tuner("verify", url, "--address", "auto")

    assert code == 2
    assert f"a study at a URL ({url}) is verified on this machine" in output


@pytest.mark.slow
def test_a_study_is_handed_over_with_its_url_and_known_from_everywhere(
    tuner, url, another_machine, runs
):
    study = str(directory_at(url).config)
    with JobServer() as server:
        code, output = tuner("submit", study, "--directory", url, "--address", server.address)
        ((job, asked),) = server.jobs.items()
        another_machine()

        assert code == 0, output
        assert f"--directory '{url}?endpoint_override=127.0.0.1:" in asked["entrypoint"]
        assert asked["entrypoint"].startswith("desk=$(mktemp -d) && cp -r . ")
        assert job_of(directory_at(url)).id == job
        assert there(runs) >= {".jobs/small.json"}


def test_the_doctor_sees_a_bucket_that_can_be_written(url, runs):
    study = StudyConfig.model_validate(directory_at(url).study())

    lines = {line.check: line for line in examine(Patient(study, url))}

    assert lines["storage"].text == f"{completed(runs)} can be written"
    assert lines["disk"].text.endswith("free for the home folder")
    assert not [name for name in there(runs) if "doctor" in name]


def test_the_doctor_says_what_a_url_needs(runs):
    lines = {line.check: line for line in examine(Patient(StudyConfig(name="a"), f"{runs}/a"))}

    assert lines["optuna"].text == "a study at a URL needs a database, and names none"
    assert lines["mlflow"].remedy.startswith("name a server by tracking.uri")


@pytest.mark.slow
def test_the_doctor_sees_a_bucket_that_is_missing():
    url = "s3://nobody-has-made-it/runs/small?endpoint_override=127.0.0.1:1&scheme=http"

    lines = {line.check: line for line in examine(Patient(None, url))}

    assert "the store does not answer" in lines["storage"].text
    assert lines["storage"].remedy.startswith("see that the store runs")
