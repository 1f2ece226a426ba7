"""``tuner ui``: a server of our own, three links, and nothing left behind."""

import re
import subprocess
import urllib.request

import psutil
import pytest
from run_tuner import TUNER

pytestmark = pytest.mark.end_to_end


def test_the_ui_prints_its_links_serves_them_and_leaves_nothing_behind(finished):
    folder, _ = finished
    ui = subprocess.Popen(
        [*TUNER, "ui", "runs/digits"], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    with ui:
        lines = [ui.stdout.readline() for _ in range(4)]
        processes = psutil.Process(ui.pid).children(recursive=True)

        links = re.findall(r"http://127\.0\.0\.1:\d+/#/experiments/\S+", "".join(lines))
        with urllib.request.urlopen(links[0].partition("#")[0], timeout=120) as answer:
            page = answer.read().decode()
        ui.terminate()
        ui.wait(timeout=120)
    _, alive = psutil.wait_procs(processes, timeout=120)

    assert "Ctrl-C" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == ["front:", "compare:", "study:"]
    assert len(links) == 2  # the comparison is of runs, not of an experiment
    assert "<title>MLflow</title>" in page
    assert ui.returncode == 0
    assert processes
    assert alive == []
