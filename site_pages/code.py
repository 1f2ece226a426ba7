"""Links into the repository become pages of the site that show the file."""

import ast
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path

LINK = re.compile(r"\]\((?P<target>(?!https?:|#)[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
FILE_NAME = re.compile(r"\[(?P<name>[\w-]+\.md)\](?=\((?P=name))")
NOT_SEARCHED = "---\nsearch:\n  exclude: true\n---\n\n"
LANGUAGES = {".py": "python", ".yaml": "yaml", ".sh": "bash"}


def to_site(markdown: str, name: str, folder: Path) -> str:
    """Markdown whose links fit the site.

    Args:
        markdown: text of a page.
        name: the page's path in the site.
        folder: of the page's file in the repository, to which its links are relative.
    """

    def follow(match: re.Match[str]) -> str:
        target = _site_path(posixpath.normpath(posixpath.join(str(folder), match["target"])))
        return (
            f"]({posixpath.relpath(target, posixpath.dirname(name) or '.')}{match['anchor'] or ''})"
        )

    return LINK.sub(follow, markdown)


def named_by_title(markdown: str, folder: Path) -> str:
    """Links that are called by the file's name, as in a repository, by the page's title instead."""

    def title(match: re.Match[str]) -> str:
        first = (folder / match["name"]).read_text().partition("\n")[0]
        return f"[{first.removeprefix('# ')}]"

    return FILE_NAME.sub(title, markdown)


def _site_path(path: str) -> str:
    """Where a file of the repository is in the site."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    known = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
    if path == "README.md":
        return "index.md"
    return known.get(path) or f"source/{path}.md"


def code_pages(pages: Iterable[Path], root: Path) -> dict[str, str]:
    """A page per file or folder of the repository that some page links to, by path in the site."""
    linked = {path for page in pages for path in _linked(page, root)}
    folders = {path for path in linked if (root / path).is_dir()}
    inside = {str(f.relative_to(root)) for d in folders for f in (root / d).glob("*.py")}
    files = {path for path in linked | inside if (root / path).is_file()}
    shown = {f"source/{path}.md": _file_page(root / path, path) for path in files}
    return shown | {f"source/{path}.md": _folder_page(root / path, path) for path in folders}


def _linked(page: Path, root: Path) -> Iterable[str]:
    for match in LINK.finditer(page.read_text()):
        path = posixpath.normpath(
            posixpath.join(str(page.parent.relative_to(root)), match["target"])
        )
        if _site_path(path).startswith("source/"):
            yield path


def _file_page(file: Path, path: str) -> str:
    language = LANGUAGES.get(file.suffix, "text")
    code = file.read_text().replace("````", "` ` ` `")
    return f"{NOT_SEARCHED}# {path}\n\n````{language}\n{code.rstrip()}\n````\n"


def _folder_page(folder: Path, path: str) -> str:
    rows = [
        f"| [`{file.name}`]({posixpath.basename(path)}/{file.name}.md) | {_first_line(file)} |"
        for file in sorted(folder.glob("*.py"))
    ]
    table = "\n".join(["| file | what |", "|---|---|", *rows])
    return f"{NOT_SEARCHED}# {path}/\n\n{table}\n"


def _first_line(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text())) or ""
    return text.partition("\n")[0].replace("|", r"\|")
