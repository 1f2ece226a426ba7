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
