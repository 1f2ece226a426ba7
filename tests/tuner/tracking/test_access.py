"""Who gets at a server of MLflow that we start."""

import importlib.util
import json
import stat
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner
from written_study import write_study

from tuner.cli import app
from tuner.tracking import access as mlflow_access
from tuner.tracking.access import CONFIG, HOSTS, KEY, ORIGINS, PASSWORD, access_to, is_this_machine
from tuner.tracking.server import serve

WORD = "planted-password-42"
NO_LOGIN = importlib.util.find_spec("flask_wtf") is None


@pytest.fixture
def store(tmp_path, monkeypatch):
    for name in (KEY, PASSWORD, CONFIG, HOSTS, ORIGINS):
        monkeypatch.delenv(name, raising=False)
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def login(store, monkeypatch):
    """The settings of a login, as if MLflow had all that it needs for one."""
    monkeypatch.setenv(KEY, "planted-key-4711")
    monkeypatch.setenv(PASSWORD, WORD)
    monkeypatch.setattr(mlflow_access, "find_spec", lambda name: name)
    return store


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("192.0.2.2", False),
        ("::", False),
        ("example.org", False),
    ],
)
def test_an_address_is_this_machines_alone_or_not(host, ours):
    assert is_this_machine(host) == ours


@pytest.mark.parametrize("settings", [{}, {KEY: "x"}, {PASSWORD: WORD}, {CONFIG: "users.ini"}])
def test_other_machines_are_refused_without_a_login(store, tmp_path, monkeypatch, settings):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    with (
        pytest.raises(ValueError, match=f"0.0.0.0 lets other machines in.*{PASSWORD}.*{KEY}"),
        serve(store, host="0.0.0.0"),
    ):
        pass

    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("store")
def test_the_verb_says_so_in_one_sentence(tmp_path):
    folder = write_study(tmp_path)

    result = CliRunner().invoke(app, ["ui", str(folder), "--host", "192.0.2.2"])

    assert result.exit_code == 2
    assert result.output.startswith("error: --host 192.0.2.2 lets other machines in")


def test_without_what_the_login_needs_it_says_what_to_install(login, monkeypatch):
    monkeypatch.setattr(mlflow_access, "find_spec", lambda name: None if name == "flask_wtf" else 1)

    with (
        pytest.raises(ValueError, match=r"pip install 'mlflow\[auth\]'"),
        access_to(login, "192.0.2.2"),
    ):
        pass


def test_an_address_of_ipv6_is_refused(store):
    with pytest.raises(ValueError, match="must be an IPv4 address or a name, got ::1"):
        serve(store, host="::1").__enter__()


def test_on_this_machine_only_its_own_names_are_answered(store):
    with access_to(store, "127.0.0.1") as access:
        allowed, origins = access.environment[HOSTS], access.environment[ORIGINS]

    assert allowed == "localhost,localhost:*,127.0.0.1,127.0.0.1:*"
    assert origins == "http://localhost,http://127.0.0.1"
    assert access.options == ["--host", "127.0.0.1"]


def test_a_given_address_is_one_more_name(login):
    with access_to(login, "192.0.2.2") as access:
        allowed = access.environment[HOSTS].split(",")

    assert allowed[-2:] == ["192.0.2.2", "192.0.2.2:*"]
    assert "*" not in allowed


def test_names_that_the_user_has_set_stay(login, monkeypatch):
    monkeypatch.setenv(HOSTS, "mlflow.example.org")

    with access_to(login, "0.0.0.0") as access:
        allowed = access.environment[HOSTS]

    assert allowed == "mlflow.example.org"


def test_logins_are_kept_beside_the_database_for_its_owner_alone(login, tmp_path):
    with access_to(login, "0.0.0.0") as access:
        settings = Path(access.environment[CONFIG]).read_text()

    users = tmp_path / "mlflow-users.db"
    assert access.options[-2:] == ["--app-name", "basic-auth"]
    assert f"database_uri = sqlite:///{users.as_posix()}" in settings
    assert WORD not in settings
    assert stat.S_IMODE(users.stat().st_mode) == 0o600


def asked(base, **headers):
    request = urllib.request.Request(
        f"{base}/api/2.0/mlflow/experiments/search",
        data=json.dumps({"max_results": 1}).encode(),
        headers={"Content-Type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def basic(word):
    return f"Basic {b64encode(f'admin:{word}'.encode()).decode()}"


@pytest.mark.end_to_end
def test_the_server_listens_here_alone_and_answers_to_its_own_name(store):
    with serve(store) as base:
        family = psutil.Process().children(recursive=True)
        places = {
            c.laddr.ip for p in family for c in p.net_connections("inet") if c.status == "LISTEN"
        }
        answers = [asked(base), asked(base, Host="evil.example"), asked(base, Host="10.0.0.1:5000")]
        foreign = asked(base, Origin="http://evil.example")
        lines = [" ".join(p.cmdline()) for p in family]

    assert places == {"127.0.0.1"}
    assert answers == [200, 403, 403]
    assert foreign == 403
    assert not [line for line in lines if "mlflow.db" in line]


@pytest.mark.end_to_end
@pytest.mark.skipif(NO_LOGIN, reason="MLflow's login needs Flask-WTF: pip install 'mlflow[auth]'")
def test_for_other_machines_the_server_asks_for_a_login(login):
    with serve(login, host="0.0.0.0") as base:
        answers = [
            asked(base),
            asked(base, Authorization=basic("wrong-password-00")),
            asked(base, Authorization=basic(WORD)),
        ]
        rebound = asked(base, Host="evil.example", Authorization=basic(WORD))

    assert answers == [401, 401, 200]
    assert rebound == 403
