"""How to get the same numbers again, as a section of the report."""

from collections import Counter
from collections.abc import Mapping
from html import escape
from pathlib import Path

from tuner.analysis.results import Results
from tuner.json_files import read_json
from tuner.reporting.page import definitions, note
from tuner.running.session_facts import COSTS
from tuner.storage.directory import StudyDirectory


def again_section(results: Results, folder: Path, facts: Mapping[str, str]) -> str:
    """Commands, code, versions, machines and seeds.

    Args:
        results: the study.
        folder: its directory, named in the commands.
        facts: of the session; those on costs are left to the section on costs.
    """
    seeds = sorted({str(record.config["seed"]) for record in results.records}, key=int)
    known = {name: text for name, text in facts.items() if name not in COSTS}
    known |= {
        "trained on": _machines(folder) or "not known",
        "seeds": f"trials {', '.join(seeds) or 'none'}; sampler {results.study.sampler.seed}; "
        f"split {results.study.base.data.split_seed}",
    }
    told = "Same config, same code, same machine: the same numbers. What the search proposes "
    told += "depends, too, on the order in which trials end."
    return f"<pre>{escape(_commands(results, folder))}</pre>{definitions(known)}{note(told)}"


def _machines(folder: Path) -> str:
    """What the trials were computed with, and how many on what where they differ."""
    found = Counter(_machine(file) for file in sorted(folder.glob("trials/*/machine.json")))
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{text} ({number} trials)" for text, number in found.most_common())


def _machine(file: Path) -> str:
    machine = read_json(file)
    parts = [machine.get(key) for key in ("device", "chip", "precision", "memory_format")]
    known = [str(part) for part in parts if part]
    compiled = ["compiled"] if machine.get("compile") else []
    rest = [f"{name} {machine[name]}" for name in ("threads", "torch") if name in machine]
    return ", ".join([*known, *compiled, *rest])


def _from_file(results: Results, place: StudyDirectory) -> str:
    command = f"tuner run {place.called('study.yaml')}"
    usual = place.path.as_posix() == f"runs/{results.study.name}"
    return command if usual else f"{command} --directory {place}"


def _commands(results: Results, directory: Path) -> str:
    place = StudyDirectory(directory)
    again = f"tuner resume {place}" if place.copy else _from_file(results, place)
    commands = {again: "the whole study; again: takes it up"}
    if results.complete:
        trial = place.called(f"trials/{results.knee.number:04d}")
        commands[f"tuner export {place} --pick knee"] = "the config of a point of the front"
        if place.copy is None:
            config = place.called("front/configs/knee.yaml")
            commands[f"tuner train {config}"] = "train the knee again"
        commands[f"tuner evaluate {trial}"] = "measure the knee on the test split"
    width = max(map(len, commands)) + 2
    return "\n".join(f"{command:<{width}}# {purpose}" for command, purpose in commands.items())
