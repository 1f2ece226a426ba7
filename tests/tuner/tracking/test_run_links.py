"""Links from a page's points to runs: what the page is told; a browser follows them elsewhere."""

import json
import re

from make_records import make_results

from tuner.pictures.front_html import front_html
from tuner.tracking.run_links import RunLinks

LINKS = RunLinks({0: "#/experiments/1/runs/abc?workflowType=machine_learning"})


def constants(script):
    return {name: json.loads(value) for name, value in re.findall(r"const ([A-Z]+)=(.*?);", script)}


def test_a_page_knows_the_address_of_every_run_and_where_the_server_is():
    links = RunLinks({7: "#/runs/abc"}, base="https://ml.example.org/flow/", prefix="/flow/")

    assert constants(links.script) == {
        "RUNS": {"7": "#/runs/abc"},
        "BASE": "https://ml.example.org/flow/",
        "PREFIX": "/flow/",
    }


def test_an_address_cannot_leave_its_script():
    script = RunLinks({0: "</script><b>"}, base="https://a/</script>").script

    assert script.count("</script>") == 1
    assert constants(script)["RUNS"] == {"0": "</script><b>"}


def test_a_page_with_links_says_how_a_point_leads_to_its_run_and_stays_self_contained():
    page = front_html(make_results((0.9, 0.4)), LINKS)

    assert 'id="in-mlflow" hidden' in page
    assert "src=" not in page
    assert page.index("</table>") < page.index("const RUNS=")


def test_a_page_without_links_has_none():
    assert "in-mlflow" not in front_html(make_results((0.9, 0.4)))
