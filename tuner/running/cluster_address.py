"""Where a study's Ray may be."""

CLIENT = "ray://"


def require_reachable(address: str | None) -> None:
    """Refuse an address through which a study cannot be driven.

    Behind Ray's client, Tune needs a node of the cluster on this machine, and without it moves
    itself to the head, away from the ledger and the locks of this process.

    Raises:
        ValueError: naming what to give instead.
    """
    if address is None or not address.startswith(CLIENT):
        return
    host = address.removeprefix(CLIENT).partition(":")[0] or "HOST"
    raise ValueError(
        f"address {address} is one of Ray's client, which cannot drive a study; run it on a "
        "machine of the cluster with --address auto or HOST:6379, or hand it over from anywhere "
        f"with tuner submit and --address http://{host}:8265"
    )
