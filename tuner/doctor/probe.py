"""What a machine says of itself.

Sent to every node of a cluster by value, so it imports nothing of ours: it has to say that ours is
missing there. A node is whatever Ray calls so; two of them may share a machine.
"""

import hashlib
import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchvision", "timm", "ray", "optuna", "mlflow", "robust-distillation-tuner")
OURS = ("trainables", "search_spaces", "tuner")
GPU_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
MEMORY_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
ASK_TORCH = (
    "import torch; print(torch.cuda.device_count(), torch.version.cuda or torch.version.hip or '-')"
)


class Probe:
    """An actor on a node."""

    def look(self, storage: str, nonce: str, files: Sequence[str]) -> dict[str, Any]:
        """As the function of this name."""
        return look(storage, nonce, files)

    def clock(self) -> float:
        """Seconds since 1970, as this machine believes."""
        return time.time()


def look(storage: str, nonce: str, files: Sequence[str]) -> dict[str, Any]:
    """Everything that a check may want to know of this machine; seconds, of which PyTorch most.

    Args:
        storage: folder of the studies, absolute, or its URL.
        nonce: names the file that the driver has written there.
        files: paths that trials read.

    Returns:
        The fields of ``tuner.doctor.facts.Facts`` that a machine knows of itself; sizes in bytes.
    """
    gpus, cuda, gpu_problem = see_gpus()
    return {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "versions": versions(),
        "code": fingerprint(),
        "gpus": gpus,
        "cuda": cuda,
        "gpu_problem": gpu_problem,
        "driver": gpu_driver(),
        "memory": free_memory(),
        "shared_memory": free_bytes("/dev/shm"),
        "disk": free_bytes(str(Path.home()) if "://" in storage else storage),
        "temporary_used": used_share("/tmp"),
        "storage_problem": (try_url if "://" in storage else try_storage)(storage, nonce),
        "missing": [file for file in files if not Path(file).expanduser().exists()],
    }


def versions() -> dict[str, str]:
    """Of the packages that have to agree; an empty string where one is not installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found


def fingerprint() -> str:
    """Eight hexadecimal digits of our source files; empty where they cannot be imported."""
    digest = hashlib.sha256()
    for package in OURS:
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            return ""
        root = Path(found.submodule_search_locations[0])
        for file in sorted(root.rglob("*.py")):
            digest.update(f"{package}/{file.relative_to(root)}".encode() + file.read_bytes())
    return digest.hexdigest()[:8]


def see_gpus() -> tuple[int, str, str]:
    """GPUs that PyTorch sees, its CUDA version, and what went wrong.

    In a process of its own, without what Ray hides from this one.
    """
    if not any(Path(file).exists() for file in GPU_FILES):
        return 0, "-", ""
    hidden = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    try:
        said = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", ASK_TORCH],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout.split()
    except subprocess.CalledProcessError as error:
        return 0, "-", (error.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    except subprocess.TimeoutExpired:
        return 0, "-", "it did not answer within 120 s"
    return int(said[0]), said[1], ""


def gpu_driver() -> str:
    """Names and driver of the GPUs as ``nvidia-smi`` has them; empty without it."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return "; ".join(dict.fromkeys(line.strip() for line in said.splitlines()))


def free_memory() -> int:
    """What is left of the machine's memory, or of what this container may use."""
    import psutil  # comes with Ray

    free = int(psutil.virtual_memory().available)
    for limit, used in MEMORY_LIMITS:
        try:
            free = min(free, int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    return free


def free_bytes(path: str) -> int | None:
    """Of the file system of a path, or of the next folder above that is there."""
    place = Path(path)
    if path == "/dev/shm" and not place.is_dir():
        return None
    existing = next(p for p in (place, *place.parents) if p.exists())
    return shutil.disk_usage(existing).free


def used_share(path: str) -> float:
    """Of a file system, between 0 and 1."""
    usage = shutil.disk_usage(path)
    return usage.used / usage.total


def try_url(url: str, nonce: str) -> str:
    """As ``try_storage``, of a folder at a URL."""
    try:
        from trainables.storage.object_store import StoreError, UrlFolder
    except ImportError:
        return "cannot be looked at without our code"
    name = f".doctor-{nonce}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        try:
            if not UrlFolder(url).fetch(name, file):
                return "does not see what the driver writes there"
            UrlFolder(url).send(file, f"{name}-{socket.gethostname()}-{os.getpid()}")
        except StoreError as error:
            return str(error).partition(": ")[2].partition(";")[0]
        return "" if file.read_text() == nonce else "sees another file than the driver"


def try_storage(storage: str | Path, nonce: str) -> str:
    """Read what the driver has written into a folder, and write beside it.

    Returns:
        What went wrong; an empty string if nothing did.
    """
    folder = Path(storage)
    try:
        seen = (folder / f".doctor-{nonce}").read_text()
        answer = folder / f".doctor-{nonce}-{socket.gethostname()}-{os.getpid()}"
        answer.write_text(seen)
    except FileNotFoundError:
        return "does not see what the driver writes there"
    except OSError as error:
        return f"cannot write there ({error.strerror})"
    return "" if seen == nonce else "sees another file than the driver"
