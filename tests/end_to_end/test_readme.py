"""The README's commands, links and names, as a newcomer meets them."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^\$ (.+)$", README, flags=re.MULTILINE)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.end_to_end
def test_the_commands_run_in_their_order(finished):
    folder, _ = finished
    verbs = [command for command in COMMANDS if command.startswith("tuner ")]

    for command in verbs:
        result = subprocess.run(
            [sys.executable, "-m", *shlex.split(command)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"

    assert len(verbs) >= 6


def test_every_make_target_named_exists():
    command = re.compile(r"(?:^|`|\$ )make ([a-z-]+)", flags=re.MULTILINE)
    named = {target for page in PAGES for target in command.findall(page.read_text())}

    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))

    assert {"demo", "test"} <= named <= targets


def test_every_command_is_a_verb_or_a_target():
    assert all(command.split()[0] in {"make", "tuner"} for command in COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    local = [link for link in links if not link.startswith("https://")]

    missing = [link for link in local if not (page.parent / link).exists()]

    assert missing == []
