"""Whatever a study, its teachers and its errors are called: pages show it and do nothing else."""

import re
from html.parser import HTMLParser

import pytest
from make_records import make_config, make_record, make_study
from make_verification import EPSILON, make_member, make_verification

from tuner.analysis.results import Results
from tuner.pictures.front_html import front_html
from tuner.pictures.parallel_coordinates import parallel_html
from tuner.records import TrialState
from tuner.reporting.page import page
from tuner.reporting.report import write_report
from tuner.tracking.run_links import RunLinks
from tuner.verification.html import verification_section

HOSTILE = (
    "</td></script><script>alert(1)</script><img src=//evil.example/x onerror=alert(1)>"
    "\"'&<a href=javascript:alert(1)>[x](javascript:alert(1)) ![y](//evil.example/y) `\u2028"
)
LOADED = {"img", "link", "iframe", "object", "embed", "base", "form", "audio", "video", "input"}


class Page(HTMLParser):
    """Collects elements and attributes, and scripts apart."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.attributes, self.policy = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.attributes += attributes
        if ("http-equiv", "Content-Security-Policy") in attributes:
            self.policy = dict(attributes)["content"]

    handle_startendtag = handle_starttag


STUDY = make_study(description=HOSTILE, search_space=HOSTILE, base={"threat": {"epsilon": EPSILON}})


@pytest.fixture
def results():
    config = make_config(beta=1.0)
    config["student"]["architecture"] = HOSTILE
    records = [
        make_record(0, 0.9, 0.4, label="searched", teacher=HOSTILE, config=config),
        make_record(1, 0.8, 0.5, label="searched", teacher=HOSTILE, config=make_config(beta=2.0)),
        make_record(2, 0.7, 0.6, label=HOSTILE, teacher=HOSTILE),
        make_record(3, state=TrialState.failed, reason=HOSTILE, teacher=HOSTILE),
        make_record(4, state=TrialState.stopped, reason=HOSTILE),
    ]
    return Results(STUDY, records)


def verified(results):
    failures = {1: f"raised: ValueError: {HOSTILE}"}
    return make_verification(
        results,
        make_member(results, 0, (285, 60), failures=failures),
        make_member(results, 2, (264, 120), (261, 120)),
    )


LINKS = RunLinks({0: f"#/runs/{HOSTILE}"}, f"https://host/{HOSTILE}/", f"/{HOSTILE}/")
PAGES = {
    "front": lambda results, _: front_html(results, LINKS),
    "report": lambda results, folder: write_report(
        results, folder / "report.html", facts={HOSTILE: HOSTILE}
    ).read_text(),
    "parallel": lambda results, _: parallel_html(results, LINKS),
    "verification": lambda results, _: page(HOSTILE, verification_section(verified(results))),
}


@pytest.mark.parametrize("kind", PAGES)
def test_a_name_adds_no_element_no_handler_and_no_address(kind, results, tmp_path):
    text = PAGES[kind](results, tmp_path)

    shown = Page(text)
    handlers = [name for name, _ in shown.attributes if name.startswith("on")]
    addresses = [value for name, value in shown.attributes if name in {"src", "href", "action"}]
    assert "evil.example" in text
    assert LOADED & set(shown.elements) == set()
    assert (handlers, addresses) == ([], [])
    assert "<script>alert" not in text


@pytest.mark.parametrize("kind", PAGES)
def test_the_browser_is_told_to_load_nothing(kind, results, tmp_path):
    policy = Page(PAGES[kind](results, tmp_path)).policy

    assert policy.startswith("default-src 'none';")
    assert "base-uri 'none'; form-action 'none'" in policy
    assert not re.search(r"https?:|\*|data:|blob:", policy)
