"""Where a study's Ray may be."""

from urllib.parse import urlsplit

CLIENT, JOB_SERVERS = "ray", ("http", "https")
DASHBOARD_PORT = 8265
"""Of a head whose ``ray start`` was told no other."""


def job_server_of(address: str | None) -> str | None:
    """The job server behind an address from outside a cluster.

    Args:
        address: ``auto``, ``HOST:6379``, ``ray://HOST:10001`` or ``http://HOST:8265``.

    Returns:
        ``http://HOST:8265``; None for a cluster that this machine is part of, or a Ray of our own.
    """
    parts = urlsplit(address or "")
    if parts.scheme in JOB_SERVERS:
        return address
    if parts.scheme != CLIENT:
        return None
    host = parts.hostname or "HOST"
    return f"http://{f'[{host}]' if ':' in host else host}:{DASHBOARD_PORT}"


def require_reachable(address: str | None) -> None:
    """Refuse an address through which this process cannot drive a study.

    Behind Ray's client, Tune needs a node of the cluster on this machine, and without it moves
    itself to the head, away from the ledger and the locks of this process.

    Raises:
        ValueError: naming what to do instead.
    """
    if server := job_server_of(address):
        raise ValueError(
            f"address {address} reaches a cluster from outside, where no study can be driven; give "
            "auto or HOST:6379 on a machine of the cluster, or hand the study over: tuner submit "
            f"--address {server}"
        )
