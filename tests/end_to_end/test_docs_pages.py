"""The documentation's site in a real browser, opened from disk as `make docs` leaves it."""

import os
import subprocess
import sys

import pytest
from documents import ROOT

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of the built site."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    return folder.as_uri()


@pytest.fixture
def page(chromium, site):
    """The tutorial."""
    context = chromium.new_context(viewport={"width": 1300, "height": 900})
    page = context.new_page()
    page.goto(f"{site}/tutorial.html")
    yield page
    context.close()


def test_the_search_finds_the_page_that_explains_before_the_changelog(page):
    page.click("input[name=query]")
    page.keyboard.type("selection bias", delay=50)
    page.locator(".md-search-result__item").first.wait_for()

    found = page.locator(".md-search-result__item").all_inner_texts()

    assert found[0].startswith("Measuring robustness")
    assert found[-1].startswith("Changelog")


def test_the_button_copies_commands_without_their_prompts(page):
    page.evaluate("document.addEventListener('copy', () => window.copied = `${getSelection()}`)")
    block = page.locator(".highlight", has_text="tuner ls")

    block.locator("button").first.click()

    page.wait_for_function("window.copied")
    assert page.evaluate("window.copied") == "tuner ls\ntuner front runs/digits"
