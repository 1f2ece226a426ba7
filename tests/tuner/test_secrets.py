"""Settings hold no secrets; what they name instead is read when a URL is opened."""

import os
import subprocess
import sys
import threading
import traceback
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from typer.testing import CliRunner
from written_study import STUDY, write_study

import tuner
from tuner.cli import app
from tuner.doctor.services import mlflow, optuna_storage
from tuner.secrets import filled_in, refuse_secrets
from tuner.storage.opening import open_storage
from tuner.study import StudyConfig
from tuner.study_file import load_study, load_trial

SECRET = "Planted/Secret+42@x"
DATABASE = f"postgresql://me:{SECRET}@127.0.0.1:1/db"


@pytest.mark.parametrize(
    ("settings", "where", "todo"),
    [
        ({"storage": DATABASE}, "storage", r"write \$\{NAME\} in its place"),
        ({"tracking": {"uri": DATABASE}}, "tracking/uri", r"write \$\{NAME\} in its place"),
        (
            {"tracking": {"uri": "https://me:word@host"}},
            "tracking/uri",
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        ),
        ({"tracking": {"uri": "https://me:${PW}@host"}}, "tracking/uri", "leave it out"),
        ({"warm_start": ["s3://KEY:word@bucket/x"]}, "warm_start/0", "AWS_SECRET_ACCESS_KEY"),
        ({"fixed": {"a": {"b": "x://host?password=word"}}}, "fixed/a/b", "write"),
    ],
)
def test_a_study_with_a_secret_in_a_url_is_refused_without_repeating_it(settings, where, todo):
    with pytest.raises(ValueError, match=f"{where} holds a secret .*{todo}") as raised:
        StudyConfig.model_validate({**STUDY, **settings})

    assert SECRET not in str(raised.value)
    assert "word@" not in str(raised.value)


def test_the_refusal_is_one_sentence_of_the_command(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**STUDY, "storage": DATABASE}))

    result = CliRunner().invoke(app, ["run", str(path), "--dry-run"])

    assert result.exit_code == 2
    assert "storage holds a secret (postgresql://me:***@127.0.0.1:1/db)" in result.output
    assert SECRET not in result.output


def test_a_trial_with_a_secret_is_refused(tmp_path):
    path = tmp_path / "trial.yaml"
    path.write_text("teacher: {checkpoint: 's3://KEY:word@bucket/x.pt'}")

    with pytest.raises(ValueError, match=r"teacher/checkpoint holds a secret \(s3://KEY:\*\*\*@"):
        load_trial(path)


@pytest.mark.parametrize(
    "verb",
    [
        ["run", "digits", "--tracking-uri"],
        ["ui", "digits", "--tracking-uri"],
        ["sync", "digits", "--tracking-uri"],
        ["train", "x.yaml", "--tracking-uri"],
        ["doctor", "--storage"],
        ["doctor", "--tracking-uri"],
    ],
)
def test_no_verb_takes_a_secret_on_its_command_line(verb):
    result = CliRunner().invoke(app, [*verb, "https://me:word42@host"])

    assert result.exit_code == 2
    assert "the URL holds a secret (https://me:***@host)" in result.output


@pytest.mark.parametrize("word", ["pa ss", "it's", 'say"it"', "a<b>c", "a\nb"])
@pytest.mark.parametrize("setting", ["storage", "tracking"])
def test_a_password_of_characters_that_urls_have_not_is_seen_all_the_same(setting, word):
    url = f"postgresql://me:{word}@host/db"

    with pytest.raises(ValueError, match=r"holds a secret \(postgresql://me:\*\*\*@host") as raised:
        StudyConfig.model_validate(
            {**STUDY, setting: {"uri": url} if setting == "tracking" else url}
        )

    assert word not in str(raised.value)


@pytest.mark.parametrize("url", ["sqlite:////home/me/my runs/it's.db", "https://host/my runs"])
def test_spaces_and_quotes_alone_are_no_secret(url):
    study = StudyConfig.model_validate({**STUDY, "storage": url, "tracking": {"uri": url}})

    assert (study.storage, study.tracking.uri) == (url, url)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://tuner@127.0.0.1:5432/optuna",
        "postgresql://tuner:${PGPASSWORD}@host/optuna?sslmode=require",
        "see https://me:word@example.org for more",
        "http://127.0.0.1:5000",
        "s3://bucket/a@b",
    ],
)
def test_what_names_a_variable_or_is_no_url_is_taken(text):
    refuse_secrets({"key": [text, 1, None]})


def test_a_reference_is_read_from_the_environment_and_quoted(monkeypatch):
    monkeypatch.setenv("PLANTED", SECRET)

    assert filled_in("x://me:${PLANTED}@h") == "x://me:Planted%2FSecret%2B42%40x@h"


def test_a_variable_that_is_not_set_is_named(tmp_path):
    study = StudyConfig.model_validate({**STUDY, "storage": "postgresql://me:${NOT_SET}@h/db"})

    with pytest.raises(ValueError, match="names the variable NOT_SET, which is not set"):
        open_storage(study, tmp_path)


@pytest.mark.parametrize("look", [optuna_storage, mlflow])
def test_the_doctor_names_a_variable_that_is_not_set(look):
    line = look("postgresql://me:${NOT_SET}@h/db")

    assert not line.ok
    assert "names the variable NOT_SET" in line.text
    assert line.remedy == "set it where the study runs"


def test_the_reference_and_not_the_secret_is_what_a_study_keeps(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANTED", SECRET)
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**STUDY, "storage": "sqlite:///x.db?password=${PLANTED}"}))

    study = load_study(path)

    assert study.storage == "sqlite:///x.db?password=${PLANTED}"
    assert SECRET not in study.model_dump_json()


def test_what_a_reference_stands_for_is_hidden_whatever_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANTED", SECRET)
    url = f"sqlite:///file:{tmp_path}/x.db?mode=${{PLANTED}}&uri=true"
    study = StudyConfig.model_validate({**STUDY, "storage": url})

    with pytest.raises(ConnectionError, match=r"no such access mode: \*\*\*") as raised:
        open_storage(study, tmp_path)

    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("text", ["a: 'it's-word42'", "a: {b: word42 word42\nc: ["])
def test_a_line_that_is_no_yaml_is_not_repeated(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text)

    with pytest.raises(ValueError, match=r"it is not YAML: .* in line \d, column \d+$") as raised:
        load_study(path)

    assert "word42" not in str(raised.value)


@pytest.mark.slow
def test_a_token_in_the_remote_of_a_checkout_stays_out_of_mlflows_tags(tmp_path):
    remote = "https://me:planted-token@example.org/x.git"
    script = tmp_path / "program.py"
    script.write_text("from tuner.tracking.client import resolve_tags\nprint(resolve_tags())")
    for command in (
        ["init", "-q"],
        ["remote", "add", "origin", remote],
        ["-c", "user.name=me", "-c", "user.email=me@x", "commit", "-qm", "x", "--allow-empty"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)

    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(Path(tuner.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert "example.org/x.git" in done.stdout
    assert "planted-token" not in done.stdout


CLOSED = "127.0.0.1:1"
"""Nothing listens there."""


@pytest.fixture
def planted(monkeypatch):
    """Secrets in the environment, as they are and as HTTP sends them."""
    for name in ("PLANTED", "PGPASSWORD", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    return SECRET, quote(SECRET, safe=""), b64encode(f"me:{SECRET}".encode()).decode()


def everything_said(result):
    """What a verb printed, and the chain of its errors with all that a traceback would show."""
    return result.output + "".join(traceback.format_exception(*result.exc_info))


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["front", "report", "status", "sync", "export", "resume", "ls"])
def test_a_database_that_is_down_brings_no_password_to_light(tmp_path, planted, verb):
    folder = write_study(tmp_path)
    study = yaml.safe_load((folder / "study.yaml").read_text())
    study["storage"] = f"postgresql://me:${{PLANTED}}@{CLOSED}/db?connect_timeout=3"
    (folder / "study.yaml").write_text(yaml.safe_dump(study))

    result = CliRunner().invoke(app, [verb, str(folder if verb != "ls" else tmp_path)])

    assert CLOSED.partition(":")[0] in result.output
    assert not [form for form in planted if form in everything_said(result)]


@pytest.mark.slow
@pytest.mark.parametrize("debug", [[], ["--debug"]])
@pytest.mark.parametrize("place", [f"http://{CLOSED}", f"postgresql://me:${{PLANTED}}@{CLOSED}/db"])
def test_an_mlflow_that_is_down_brings_no_password_to_light(tmp_path, planted, place, debug):
    folder = write_study(tmp_path)

    result = CliRunner().invoke(app, [*debug, "sync", str(folder), "--tracking-uri", place])

    assert result.exit_code != 0
    assert "MLflow does not answer" in everything_said(result)
    assert not [form for form in planted if form in everything_said(result)]


@pytest.mark.slow
def test_an_mlflow_that_refuses_the_password_does_not_repeat_it(tmp_path, planted):
    class Refuses(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_error(401, explain=f"no: {self.headers['Authorization']}")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{server.server_port}"
        result = CliRunner().invoke(
            app, ["sync", str(write_study(tmp_path)), "--tracking-uri", place]
        )
        server.shutdown()

    assert result.exit_code == 2
    assert "MLflow does not answer" in result.output
    assert not [form for form in planted if form in result.output]


def test_a_url_that_is_none_does_not_repeat_its_password(tmp_path, planted):
    study = StudyConfig.model_validate({**STUDY, "storage": "postgresql://me:${PLANTED}@h:x/db"})

    with pytest.raises((ConnectionError, ValueError)) as raised:
        open_storage(study, tmp_path)

    assert not [form for form in planted if form in str(raised.value)]
