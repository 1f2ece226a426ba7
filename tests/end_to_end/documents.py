"""What the documentation promises: its pages, their commands and their code."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(
    r'^```(?P<language>\w+)?(?: title="(?P<title>[^"]+)")?$\n(?P<text>.*?)^```$', re.M | re.S
)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is or changes, and what it says."""

    language: str
    title: str
    text: str


def blocks(page, *languages):
    """The fenced blocks of a page in its order, in these languages."""
    found = [
        Block(match["language"] or "", match["title"] or "", match["text"])
        for match in FENCE.finditer(page.read_text())
    ]
    return [block for block in found if block.language in languages]


def commands(page):
    """The commands of a page in its order."""
    return [
        line.removeprefix("$ ")
        for block in blocks(page, "console")
        for line in block.text.splitlines()
        if line.startswith("$ ")
    ]


def insert(text, change):
    """``text`` with the lines marked + inserted after the line above them; @@ skips."""
    lines, place = text.splitlines(), 0
    for line in change.splitlines():
        if line.startswith(" "):
            place = lines.index(line[1:], place) + 1
        elif line.startswith("+"):
            lines.insert(place, line[1:])
            place += 1
    return "\n".join(lines) + "\n"


def documented():
    """Every command, once, in the order in which a reader comes to it."""
    first = [ROOT / "README.md", DOCS / "tutorial.md"]
    pages = [*first, *(page for page in PAGES if page not in first)]
    return list(dict.fromkeys(command for page in pages for command in commands(page)))


EXTENDING = "runs in a copy of the project, in tests/docs/test_extending.py"
CLUSTER = "needs more machines; tests/end_to_end/test_cluster_verbs.py has two nodes on this one"
LOGIN = "lets other machines in; tests/tuner/tracking/test_access.py"
BENCHMARK = "python -m benchmarks.speed --device cuda --batch 128 --steps 5 --json speed.json"
NOT_RUN = {
    "make demo": "its study is the fixture `finished`, with fewer and shorter trials",
    "make bench-speed": "minutes; tests/benchmarks/test_speed.py runs its parts",
    f"PYTHONPATH=. {BENCHMARK}": "needs a GPU",
    "tuner ui runs/digits": "serves until Ctrl-C; tests/end_to_end/test_ui.py",
    "python -m pytest tests/trainables/test_method_contracts.py -k mart": EXTENDING,
    "python -m pytest tests/trainables/test_alignments.py -k relational": EXTENDING,
    "tuner run mine.yaml --dry-run": EXTENDING,
    "tuner run mine.yaml": EXTENDING,
    "tuner importance runs/digits": "too few trials; tests/tuner/verbs/test_looking.py",
    **dict.fromkeys(commands(DOCS / "cluster.md"), CLUSTER),
    **dict.fromkeys(commands(DOCS / "security.md"), LOGIN),
}
"""Commands of the documentation that are not run as they stand, and why."""
