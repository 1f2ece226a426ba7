"""Where a study's Ray may be."""

from urllib.parse import SplitResult, urlsplit

from tuner.secrets import without_own_secrets

CLIENT, JOB_SERVERS = "ray", ("http", "https")
DASHBOARD_PORT = 8265
"""Of a head whose ``ray start`` was told no other."""


def job_server_of(address: str | None) -> str | None:
    """The job server behind an address from outside a cluster.

    Args:
        address: ``auto``, ``HOST:6379``, ``ray://HOST:10001`` or ``http://HOST:8265``.

    Returns:
        ``http://HOST:8265``; None for a cluster that this machine is part of, or a Ray of our own.

    Raises:
        ValueError: if it is none of these.
    """
    if address is None or "://" not in address:
        return None
    parts = _split(address.strip())
    if parts.scheme in JOB_SERVERS:
        return parts.geturl()
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"http://{host}:{DASHBOARD_PORT}"


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        known = parts.scheme in (CLIENT, *JOB_SERVERS) and parts.hostname
        _ = parts.port  # refuses what is none
    except ValueError:
        known = False
    if not known:
        raise ValueError(
            f"address {address!r} must be auto or HOST:6379 of a cluster that this machine is "
            "part of, or ray://HOST:10001 or http://HOST:8265"
        )
    return parts


def require_inside(address: str | None) -> None:
    """Refuse an address from outside a cluster where this process itself has to join it.

    Behind Ray's client, Tune needs a node of the cluster on this machine, and without it moves
    itself to the head, away from the ledger and the locks of this process.

    Raises:
        ValueError: naming what to do instead.
    """
    if job_server_of(address):
        raise ValueError(
            f"address {address} reaches a cluster from outside, which only the commands tuner run, "
            "resume and submit can use, as they hand a study over; give auto or HOST:6379 on a "
            "machine of the cluster"
        )


def without_login(address: str | None) -> str | None:
    """An address that a command is given, as it is.

    Raises:
        ValueError: if it holds a login or another secret, which all users of the machine would see.
    """
    if address and "@" in address:
        raise ValueError(
            "a cluster's address must not hold a login, as process lists show it; Ray asks for a "
            "token instead, in RAY_AUTH_TOKEN or ~/.ray/auth_token"
        )
    return without_own_secrets(address)
