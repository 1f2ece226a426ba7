"""Whether a secret can be read anywhere."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


def leaks(
    secrets: Mapping[str, str], folders: Sequence[Path], texts: Mapping[str, str]
) -> Iterator[str]:
    """Where a secret lies, as it is or in base64, in words.

    Args:
        secrets: what each is called, and what it is.
        folders: every file in them is read.
        texts: what each is called, and what it says.
    """
    for name, secret in secrets.items():
        forms = [secret.encode(), b64encode(secret.encode()).rstrip(b"=")]
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and any(form in path.read_bytes() for form in forms):
                    yield f"the {name} lies in {path}"
        for place, text in texts.items():
            if any(form.decode() in text for form in forms):
                yield f"the {name} lies in {place}"
