"""``deploy/study.sbatch`` over two hosts: ``python -m benchmarks.nodes.slurm``; root, Linux.

Two network namespaces, each with a process table and a ``/tmp`` of its own, stand in for the nodes,
and two short scripts for Slurm's ``scontrol`` and ``srun``. The batch script, ``ray symmetric-run``
and the study are real. Fails if the study does not get its trials, or a host is not used.
"""

import argparse
import os
import shlex
import shutil
import sys
import time
from pathlib import Path

import yaml

from benchmarks.nodes.network import HUB, Network, obstacle
from benchmarks.services.ray_nodes import ROOT
from benchmarks.services.service import clean_environment
from tuner.records import TrialState
from tuner.storage.directory import StudyDirectory
from tuner.storage.ledger import read_records

SCRIPT = ROOT / "deploy" / "study.sbatch"
OTHER = "north"
PATIENCE = 600
STUDY = {
    "name": "slurm",
    "base": {"data": {"name": "digits"}, "epochs": 3},
    "teachers": {"resnet": {"architecture": "small_resnet8", "training": {"epochs": 3}}},
    "trials": 6,
    "resources": {"max_concurrent": 2},
    "tracking": {"enabled": False},
}
SCONTROL = "#!/bin/sh\n[ \"$1\" = show ] && printf '%s\\n' {hosts}\n"
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do [[ $1 == *=* ]] || shift; shift; done
{starts}
code=0
for process in "${{processes[@]}}"; do wait "$process" || code=$?; done
exit "$code"
"""
START = '{prefix} "$@" >{log} 2>&1 & processes+=($!)'


def prepare(folder: Path, network: Network) -> dict[str, str]:
    """Write the study and Slurm's stand-ins; the environment that Slurm gives the batch script."""
    tools = folder / "bin"
    tools.mkdir(parents=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    starts = [
        START.format(
            prefix=shlex.join(network.on(host, machine=True)),
            log=shlex.quote(str(folder / f"{host}.log")),
        )
        for host in (HUB, OTHER)
    ]
    hosts = " ".join(network.addresses[host] for host in (HUB, OTHER))
    for name, text in {
        "scontrol": SCONTROL.format(hosts=hosts),
        "srun": SRUN.format(starts="\n".join(starts)),
    }.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    job = {"JOB_ID": "4711", "JOB_NODELIST": "two", "JOB_NUM_NODES": "2", "CPUS_PER_TASK": "1"}
    slurm = {f"SLURM_{name}": value for name, value in job.items()}
    return clean_environment(HOME=str(folder), PATH=path, PYTHONPATH=str(ROOT), **slurm)


def run(folder: Path) -> list[str]:
    """Run the batch script; what did not come out as promised."""
    place = StudyDirectory(folder / "runs" / "slurm")
    command = ["bash", str(SCRIPT), str(folder / "study.yaml"), str(place.path)]
    with Network() as network:
        network.add(OTHER)
        environment = prepare(folder, network)
        code = network.start(HUB, command, environment, folder / "log").wait(PATIENCE)
    records = read_records(place.study(), place.path) if place.config.is_file() else []
    complete = sum(record.state == TrialState.complete for record in records)
    logs = {host: (folder / f"{host}.log").read_text() for host in (HUB, OTHER)}
    held = {
        f"the batch script ended with code {code}": code == 0,
        f"{complete} trials are complete, not {STUDY['trials']}": complete == STUDY["trials"],
        "the first host is not the head": "On head node" in logs[HUB],
        "the other host did not join": "Ray runtime started" in logs[OTHER],
    }
    return [words for words, holds in held.items() if not holds]


def main() -> None:
    """Run it and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/slurm"), help="not below /tmp")
    folder = parser.parse_args().folder.resolve()
    if reason := obstacle():
        raise SystemExit(reason)
    shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()
    missed = run(folder)
    print(f"{time.monotonic() - began:.0f} s; logs in {folder}")
    if missed:
        raise SystemExit("; ".join(missed))


if __name__ == "__main__":
    main()
