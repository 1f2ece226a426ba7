"""What mkdocs does besides reading docs/: generated references, pages of code, no foreign hosts."""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from site_pages.code import code_pages, named_by_title, to_site
from site_pages.commands import command_reference
from site_pages.settings import settings_reference

ROOT = Path(__file__).parent
REPOSITORY_PAGES = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
FOUND_LAST = "---\nsearch:\n  boost: 0.1\n---\n\n"
"""They mention everything that the other pages explain."""

MARKER = re.compile(r"^<!-- generated: (?P<what>\w+)(?: (?P<argument>\w+))? -->$", re.MULTILINE)
FOREIGN = re.compile(r"https://(?:unpkg\.com|api\.github\.com)/")
"""What the theme would load for old browsers, diagrams and stars, none of which are here."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add pages that lie elsewhere in the repository, and one for each source file linked to."""
    for name, path in REPOSITORY_PAGES.items():
        text = to_site((ROOT / path).read_text(), name, Path())
        files.append(File.generated(config, name, content=FOUND_LAST + text))
    pages = [*Path(config.docs_dir).glob("*.md"), *map(ROOT.joinpath, REPOSITORY_PAGES.values())]
    for name, content in code_pages(pages, ROOT).items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in what is generated, and lead links to code to its pages."""
    if page.file.generated_by:
        return markdown
    text = to_site(named_by_title(markdown, ROOT / "docs"), page.file.src_uri, Path("docs"))
    return MARKER.sub(_generated, text)


def _generated(match: re.Match[str]) -> str:
    if match["what"] == "commands":
        return command_reference()
    return settings_reference(match["argument"])


def on_post_build(config: MkDocsConfig) -> None:
    """Take other hosts out of the theme's scripts, so that nothing can load from them."""
    for script in Path(config.site_dir).rglob("*.js"):
        text = script.read_text(encoding="utf-8")
        if FOREIGN.search(text):
            script.write_text(FOREIGN.sub("about:blank#", text), encoding="utf-8")
