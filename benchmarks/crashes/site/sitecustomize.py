"""Lets a process of a study die at a named moment, and notes what the study does.

Python imports this file at its start in every process whose PYTHONPATH holds this folder: the
driver's, and through it Ray's workers. The product knows nothing of it.

``CRASH_PLAN`` names a file that holds one moment, such as ``after Ledger.report 2``: the process
in which it happens for the second time takes the file away and dies by SIGKILL. ``CRASH_TRACE``
names a file to which a line is added for every epoch begun, saved, refused, stored and judged; it
ends with the time and with what ``CRASH_NODE`` says.
"""

import fnmatch
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import time
import types

PLAN, TRACE = os.environ.get("CRASH_PLAN", ""), os.environ.get("CRASH_TRACE", "")
counts = {}


def planned():
    try:
        with open(PLAN) as file:  # noqa: PTH123  # pathlib would slow every start of Python
            *moment, number = file.read().split()
    except (OSError, ValueError):
        return "", 0
    return " ".join(moment), int(number)


def reach(moment):
    """Die, if this is the moment that was planned."""
    wanted, number = planned()
    if not wanted or not fnmatch.fnmatch(moment, wanted):
        return
    counts[wanted] = counts.get(wanted, 0) + 1
    if counts[wanted] < number:
        return
    try:
        os.rename(PLAN, f"{PLAN}.fired")  # noqa: PTH104
    except OSError:
        return  # another process was faster
    os.kill(os.getpid(), signal.SIGKILL)


def note(*words):
    where = os.environ.get("CRASH_NODE", "-")
    line = " ".join(map(str, [*words, f"{time.time():.3f}", where])) + "\n"
    file = os.open(TRACE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)


real_replace = os.replace


def replace(source, target, **more):
    name = os.path.basename(target)  # noqa: PTH119
    wanted, _ = planned()
    if fnmatch.fnmatch(f"half {name}", wanted):
        os.truncate(source, os.path.getsize(source) // 2)  # noqa: PTH202
    reach(f"half {name}")
    reach(f"before {name}")
    real_replace(source, target, **more)
    reach(f"after {name}")


def watch(owner, name, before=None, after=None):
    """Wrap a function of a module or class: moments around it, and what to note of it."""
    function = getattr(owner, name)
    label = name if isinstance(owner, types.ModuleType) else f"{owner.__name__}.{name}"

    def wrapper(*args, **kwargs):
        reach(f"before {label}")
        if before:
            before(*args, **kwargs)
        result = function(*args, **kwargs)
        if after:
            after(result, *args, **kwargs)
        reach(f"after {label}")
        return result

    wrapper.__name__ = name
    setattr(owner, name, wrapper)


def watch_ledger(module):
    ledger = module.Ledger
    watch(ledger, "enter", after=lambda record, *_: note("entered", record.number, record.label))
    watch(
        ledger,
        "report",
        before=lambda _, number, report: note("storing", number, int(report["epoch"])),
        after=lambda _, _self, number, report: note("stored", number, int(report["epoch"])),
    )
    watch(ledger, "_end")


def watch_halving(module):
    def judged(reason, halving, number, epoch, *_, **__):
        if epoch in halving.rungs(number):
            arrived = len(halving._rung(number, epoch).rows)
            note("judged", number, epoch, arrived, "stop" if reason else "go")

    watch(module.Halving, "judge", after=judged)


def watch_trainable(module):
    def begun(trainable, *_):
        if trainable._distillation is not None:
            note("begun", trainable.config["number"], trainable._distillation.epoch)

    def sent(_, trainable, *__):
        if trainable._store.is_remote and trainable._distillation and not trainable._failure:
            note("saved", trainable.config["number"], trainable._distillation.epoch)

    watch(module.DistillationTrainable, "_epoch", before=begun)
    for name in ("_save_reported", "_keep"):
        watch(module.DistillationTrainable, name, after=sent)


def watch_attempt(module):
    save = module.Attempt.save

    def watched(attempt, state):
        trial = attempt.checkpoint.parent.name
        if not trial.isdigit():  # a node's copy of what lies at a URL: it is not saved before it is sent
            return save(attempt, state)
        try:
            save(attempt, state)
        except module.SupersededError:
            note("refused", int(trial), state["epoch"])
            raise
        return note("saved", int(trial), state["epoch"])

    module.Attempt.save = watched


WATCHED = {
    "tuner.storage.ledger": watch_ledger,
    "tuner.search.halving": watch_halving,
    "trainables.storage.attempt": watch_attempt,
    "trainables.trainable": watch_trainable,
    "tuner.search.search": lambda module: watch(module.Search, "_end"),
    "tuner.storage.trial_files": lambda module: watch(module.TrialFiles, "update"),
    "tuner.tracking.study": lambda module: [
        watch(module.MlflowStudy, name)
        for name in ("_create", "_write_params", "_write_reports", "_write_status", "finish")
    ],
    "tuner.running.session": lambda module: [
        watch(module, name) for name in ("prepare_teachers", "write_front", "write_as_it_stands")
    ],
}


class Finder(importlib.abc.MetaPathFinder):
    """Finds the watched modules where they are, and watches them once they are loaded."""

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002
        if name not in WATCHED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            WATCHED[name](module)

        spec.loader.exec_module = exec_module
        return spec


if PLAN and TRACE:
    os.replace = replace
    sys.meta_path.insert(0, Finder())
