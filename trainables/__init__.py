"""What is trained: students, teachers, methods, alignments, attacks.

Importing the package tells Python's garbage collector to look less often. PyTorch and Ray bring
half a million objects that stay, and while they are imported the collector looks through them again
and again: a quarter of the time that a command or an actor takes to start. Thresholds that the user
has set stay.
"""

import gc

_PYTHONS_OWN = (700, 10, 10)
_SELDOM = (100_000, 10, 10)
"""New objects before a look at the young ones; looks before one at the next generation, twice."""

if gc.get_threshold() == _PYTHONS_OWN:
    gc.set_threshold(*_SELDOM)
