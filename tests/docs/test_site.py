"""The documentation as a site: it builds strictly and loads nothing from elsewhere."""

import html
import os
import re
import subprocess
import sys

import pytest
from documents import DOCS, ROOT

from site_pages.code import to_site
from site_pages.commands import command_reference
from site_pages.settings import MODELS, settings_reference, what
from tuner.cli import app

LOADED = re.compile(
    r"""<(?:link|script|img|iframe|source|video|audio|object)\b[^>]*?(?:src|href|data)=["']?"""
    r"""(?:https?:)?//[^"'\s>]+|url\(["']?(?:https?:)?//[^)]+|@import\s+["'](?:https?:)?//[^"']+"""
)
IN_COMMENTS = {"www.w3.org", "lunrjs.com", "tartarus.org", "bit.ly", "clipboardjs.com"}
CANONICAL = re.compile(r"""<link[^>]+rel=["']?(?:canonical|next|prev)[^>]*>""")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; the build itself must have no warning."""
    folder = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    return folder


def test_every_page_of_docs_is_built_and_in_the_navigation(site):
    home = (site / "index.html").read_text()

    names = [page.stem for page in DOCS.glob("*.md")]

    assert all((site / f"{name}.html").is_file() for name in names)
    assert [name for name in names if f'href="{name}.html"' not in home] == []


def test_nothing_is_loaded_from_another_host(site):
    found = {
        str(path.relative_to(site)): LOADED.findall(CANONICAL.sub("", path.read_text()))
        for path in site.rglob("*")
        if path.suffix in {".html", ".css"}
    }
    assert {path: hits for path, hits in found.items() if hits} == {}


def test_scripts_name_no_host_but_in_comments_and_namespaces(site):
    folder = site / "assets/javascripts"  # lunr's languages in it have long comments with links
    ours = [*folder.glob("*.js"), *folder.glob("workers/*.js"), *(site / "assets").glob("*.js")]
    scripts = [path.read_text() for path in ours]

    hosts = set(re.findall(r"https?://([\w.-]+)", " ".join(scripts)))

    assert len(scripts) >= 3
    assert hosts <= IN_COMMENTS


def test_pages_of_code_show_the_code_and_are_not_searched(site):
    page = (site / "source/tuner/storage/ledger.py.html").read_text()
    shown = html.unescape(re.sub(r"<[^>]+>", "", page))

    assert '"""The record of a study: an Optuna study in persistent storage;' in shown
    assert "source/" not in (site / "search/search_index.js").read_text()


def test_links_into_the_repository_lead_to_pages_of_the_site():
    text = "[a](../tuner/study.py) [b](search.md#x) [c](https://x.org/y) [d](../CONTRIBUTING.md)"

    shown = to_site(text, "page.md", DOCS.relative_to(ROOT))

    assert shown == (
        "[a](source/tuner/study.py.md) [b](search.md#x) [c](https://x.org/y) [d](contributing.md)"
    )


@pytest.mark.parametrize("which", MODELS)
def test_every_field_of_a_file_is_in_its_reference(which):
    reference = settings_reference(which)

    missing = [name for name in MODELS[which].model_fields if f"| `{name}` |" not in reference]

    assert missing == []
    assert all(what(field) for field in MODELS[which].model_fields.values())


def test_units_ranges_and_defaults_are_those_of_the_models():
    reference = settings_reference("trial")

    assert "| `epochs` | passes over the training images | whole number, ≥ 1 | `200` |" in reference
    assert "| `uniform`, `gaussian`, `none` | `uniform` |" in reference
    assert "## rslad: RobustSoftLabelDistillation" in reference


def test_a_reference_of_something_else_is_refused():
    with pytest.raises(ValueError, match="unknown file 'front'; known: study, trial"):
        settings_reference("front")


def test_every_verb_is_in_the_reference_with_its_options():
    reference = command_reference()

    verbs = [command.name or command.callback.__name__ for command in app.registered_commands]

    assert all(f"## tuner {verb}\n" in reference for verb in verbs)
    assert "| `--trials` | whole number |" in reference
    assert "| `--split` | `validation`, `test` | `test` | Which images. |" in reference
