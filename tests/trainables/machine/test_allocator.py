import resource
import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
from trainables.machine.allocator import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
torch.ones(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(64 * 2**20, dtype=torch.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(keep):
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(keep=keep)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(result.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other C libraries are left alone")
def test_memory_that_was_freed_is_used_again_without_page_faults():
    pages = 64 * 2**20 // resource.getpagesize()

    assert page_faults(keep=True) < 12 * pages
    assert page_faults(keep=False) > 18 * pages


HANDING_BACK = """
import psutil, torch
from trainables.machine.allocator import hand_back_freed_memory, keep_freed_memory
keep_freed_memory()

def resident():
    return psutil.Process().memory_info().rss

class Circle:
    def __init__(self):
        self.values, self.me = [torch.ones(2**18) for _ in range(128)], self

circle = Circle()
held = resident()
del circle
hand_back_freed_memory()
print(held - resident())
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other C libraries are left alone")
def test_what_only_refers_to_itself_goes_back_to_the_machine_at_once():
    result = subprocess.run(
        [sys.executable, "-c", HANDING_BACK], capture_output=True, text=True, check=True
    )

    assert int(result.stdout) > 120 * 2**20  # of 128 MiB
