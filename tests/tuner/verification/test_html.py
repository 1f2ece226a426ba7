import xml.etree.ElementTree as ET

import pytest
from make_records import make_record
from make_verification import make_member, make_verification, study_of

from tuner.analysis.results import Results
from tuner.reporting.page import page
from tuner.verification.html import verification_section


@pytest.fixture
def found():
    nasty = [
        make_record(0, 0.95, 0.30, label='<script>alert("&")</script>'),
        make_record(1, 0.90, 0.50),
    ]
    results = Results(study_of().study, nasty)
    failure = {1: "raised: ValueError: <b>"}
    return make_verification(
        results,
        make_member(results, 0, (285, 60), failures=failure),
        make_member(results, 1, (264, 120), (261, 120)),
    )


def test_a_section_is_well_formed_whatever_the_study_holds(found):
    section = verification_section(found)

    root = ET.fromstring(f"<div>{section}</div>")
    assert not list(root.iter("script"))
    assert not list(root.iter("b"))


def test_every_member_has_a_point_and_a_row(found):
    root = ET.fromstring(f"<div>{verification_section(found)}</div>")

    assert len(list(root.iter("circle"))) == 2
    assert [row[0].text for row in root.iter("tr") if row[0].tag == "td"] == ["0", "1"]


def test_nothing_is_loaded_from_anywhere(found):
    document = page("verified", verification_section(found))

    assert "http:" not in document.replace("http-equiv", "")
    assert "src=" not in document


def test_where_nothing_was_measured_the_reasons_remain():
    results = study_of((0.9, 0.4))
    lost = make_member(results, 0, failures={0: "worker died: no more is known"})

    section = verification_section(make_verification(results, lost))

    assert "trial 0 seed 0 could not be verified: worker died: no more is known" in section
    assert "<table" not in section
