"""The benchmark of a shared GPU, on a processor."""

import queue
import runpy
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARING = runpy.run_path(str(ROOT / "benchmarks" / "gpu_sharing.py"))
ON_DIGITS = ["--device=cpu", "--data=digits", "--student=small_resnet6", "--batch-size=300"]


@pytest.mark.slow
def test_a_process_says_how_fast_it_was_and_what_it_held():
    _, options = SHARING["parse"](ON_DIGITS)
    settings, answers = SHARING["config"](options).model_dump(mode="json"), queue.Queue()

    SHARING["an_actor"](settings, threading.Barrier(1), answers)
    row = {"at_once": 2, "share": 0.5, **answers.get_nowait()}

    assert row["images_per_second"] > 0
    assert 0 < row["begin"] <= row["most"]
    assert len(SHARING["line"](row).split()) == 6
