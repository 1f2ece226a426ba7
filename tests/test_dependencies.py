"""What the project stands on is pinned: what is audited is what is installed."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
UNPINNED = {"pip", "setuptools"}
"""``make setup`` takes their newest."""


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {normal(line.split("==")[0]): line for line in lines if not line.startswith("#")}


def asked():
    """What pyproject.toml asks for, with all of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        texts += extra
    return [Requirement(text) for text in texts if not text.startswith(project["name"])]


def needed():
    """Names of all that ``asked`` leads to here."""
    found, waiting = set(), asked()
    while waiting:
        requirement = waiting.pop()
        step = normal(requirement.name), frozenset(requirement.extras)
        if step in found:
            continue
        found.add(step)
        try:
            inner = importlib.metadata.requires(requirement.name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # asked for by an extra that is not installed here
        for text in map(Requirement, inner):
            extras = requirement.extras or {""}
            if text.marker is None or any(text.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(text)
    return {name for name, _ in found}


def test_everything_that_is_needed_is_pinned():
    assert len(needed()) > 100
    assert needed() - pins().keys() - UNPINNED == set()


def test_a_pin_is_a_name_and_an_exact_version():
    exact = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+")

    assert [line for line in pins().values() if not exact.fullmatch(line)] == []
