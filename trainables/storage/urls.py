"""URLs of folders: which are understood, and how they are completed and shown."""

import os
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

SCHEMES = ("file", "gs", "s3")
OPTIONS = ("endpoint_override", "region", "scheme")
"""What may stand behind a ``?``."""


def is_url(place: str | Path) -> bool:
    """Whether a place is a URL instead of a path."""
    return "://" in str(place)


def shown(url: str) -> str:
    """A URL for people: without what stands before an ``@``, and without unknown options."""
    parts = _split(url)
    options = {k: v.rpartition("@")[2] for k, v in parse_qsl(parts.query) if k in OPTIONS}
    return _joined(parts._replace(netloc=parts.netloc.rpartition("@")[2]), options)


def completed(url: str, *, bucket_alone: bool = False) -> str:
    """A URL that means the same on every machine: checked, with this machine's endpoint and region.

    Of ``s3://``, the server's address comes from ``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL``
    and the region from ``AWS_REGION`` or ``AWS_DEFAULT_REGION`` where the URL does not say them.

    Args:
        url: as a person wrote it.
        bucket_alone: whether it may name a bucket instead of a folder in one.

    Raises:
        ValueError: if the URL cannot be used; credentials in it are refused and not repeated.
    """
    parts = _split(url)
    if parts.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ValueError(f"URL must begin with one of {known}, got {parts.scheme}://")
    if "${" in url:
        raise ValueError(
            f"URL {shown(url)} names a variable, which is read in storage and tracking.uri alone; "
            "write what it stands for"
        )
    if "@" in parts.netloc:
        raise ValueError(
            f"URL {shown(url)} must not hold credentials, as process lists and logs show "
            "it; give them by the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), by "
            "~/.aws or by the machine's role"
        )
    options = _of_this_machine(parts.scheme, _checked(parts, url))
    path = parts.path.rstrip("/")
    folders = path.removeprefix("/").split("/")
    unclear = {"", ".", ".."} & set(folders) if path else not bucket_alone
    if unclear or bool(parts.netloc) == (parts.scheme == "file"):
        raise ValueError(
            f"URL {shown(url)} must name a folder below a bucket, such as "
            "s3://bucket/runs/name, without empty parts, . and .."
        )
    return _joined(parts._replace(path=path), options)


def tidy(url: str) -> str:
    """The URL as it was written, without the slashes at the end of its path."""
    parts = _split(url)
    return _joined(parts._replace(path=parts.path.rstrip("/")), dict(parse_qsl(parts.query)))


def _checked(parts: SplitResult, url: str) -> dict[str, str]:
    options = dict(parse_qsl(parts.query))
    if unknown := sorted(options.keys() - set(OPTIONS)):
        raise ValueError(
            f"URL {shown(url)} has the unknown option {unknown[0]!r}; known: {', '.join(OPTIONS)}"
        )
    if "@" in options.get("endpoint_override", ""):
        raise ValueError(
            f"URL {shown(url)} must not hold credentials in endpoint_override, as process lists "
            "and logs show it; give them by the environment (AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY)"
        )
    return options


def _of_this_machine(scheme: str, options: dict[str, str]) -> dict[str, str]:
    """The options with what the environment says of S3 where they say nothing."""
    if scheme != "s3":
        return options
    said = os.environ.get
    endpoint = said("AWS_ENDPOINT_URL_S3") or said("AWS_ENDPOINT_URL")
    if endpoint and "endpoint_override" not in options:
        server = _server(endpoint)
        options |= {"endpoint_override": server.netloc, "scheme": server.scheme}
    region = said("AWS_REGION") or said("AWS_DEFAULT_REGION")
    if region is None and "endpoint_override" in options:
        region = (
            "us-east-1"  # of servers that have none; the SDK would ask a cloud that is not there
        )
    if region and "region" not in options:
        options["region"] = region
    return options


def _server(endpoint: str) -> SplitResult:
    server = urlsplit(endpoint)
    if server.scheme not in {"http", "https"} or not server.netloc or "@" in server.netloc:
        raise ValueError(
            "AWS_ENDPOINT_URL must be http://HOST:PORT or https://HOST:PORT, without a login, "
            f"got {endpoint.rpartition('@')[2]!r}"
        )
    return server


def _split(url: str) -> SplitResult:
    return urlsplit(url, allow_fragments=False)


def _joined(parts: SplitResult, options: dict[str, str]) -> str:
    query = urlencode(sorted(options.items()), safe=":/")
    # urlunsplit would drop the slashes of file:///
    return f"{parts.scheme}://{parts.netloc}{parts.path}{'?' if query else ''}{query}"


def parent(url: str) -> str:
    """The folder that holds a folder; the bucket itself for one that lies in no other."""
    parts = _split(url)
    return _joined(parts._replace(path=parts.path.rpartition("/")[0]), dict(parse_qsl(parts.query)))


def below(url: str, name: str) -> str:
    """A file or folder in a folder."""
    parts = _split(url)
    return _joined(parts._replace(path=f"{parts.path}/{name}"), dict(parse_qsl(parts.query)))


def name_of(url: str) -> str:
    """The last part of its path."""
    return _split(url).path.rpartition("/")[2]


def options_of(url: str) -> dict[str, str]:
    """What stands behind the ``?``."""
    return dict(parse_qsl(_split(url).query))


def place_of(url: str) -> tuple[str, str]:
    """Scheme and path, as file systems take it: ``("s3", "bucket/runs/name")``."""
    parts = _split(url)
    return parts.scheme, f"{parts.netloc}{parts.path}"
