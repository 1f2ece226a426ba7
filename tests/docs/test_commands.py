"""The commands, links and names of README and docs, as a newcomer meets them; nothing is run."""

import re
import shlex

import pytest
from documents import NOT_RUN, PAGES, ROOT, documented
from typer.main import get_command

from tuner.cli import app

VERBS = get_command(app).commands


def test_every_make_target_named_exists():
    command = re.compile(r"(?:^|`|\$ )make ([a-z-]+)", flags=re.MULTILINE)
    named = {target for page in PAGES for target in command.findall(page.read_text())}

    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))

    assert {"demo", "test"} <= named <= targets


@pytest.mark.parametrize("command", documented())
def test_every_command_is_understood_or_listed_with_a_reason(command):
    name, *rest = shlex.split(command)
    if name != "tuner":
        assert command in NOT_RUN
    else:
        verb, *arguments = rest
        context = VERBS[verb].make_context(verb, arguments)
        assert context.command.name == verb


def test_what_is_listed_is_in_the_documentation():
    assert set(NOT_RUN) <= set(documented())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    made = {"contributing.md", "changelog.md"}
    local = [link for link in links if not link.startswith("https://") and link not in made]

    missing = [link for link in local if not (page.parent / link).exists()]

    assert missing == []
