"""Machines as the doctor sees them, in good health."""

from dataclasses import replace

from trainables.data import DataConfig
from tuner.doctor.facts import Facts, Need
from tuner.doctor.probe import PACKAGES
from tuner.study import ResourcesConfig

GIGABYTE = 10**9
HEALTHY = Facts(
    name="this machine",
    host="here",
    python="3.11.7",
    versions=dict.fromkeys(PACKAGES, "2.0.0"),
    code="0badcafe",
    gpus=0,
    cuda="-",
    gpu_problem="",
    driver="",
    memory=16 * GIGABYTE,
    shared_memory=GIGABYTE,
    disk=100 * GIGABYTE,
    temporary_used=0.5,
    storage_problem="",
    missing=[],
)
NODE = replace(HEALTHY, name="node 10.0.0.3 (1f2e3d4c)", ray_cpus=8.0, ray_gpus=0.0)
NEED = Need(ResourcesConfig(), DataConfig(), (), "/studies")
