"""No setting holds a secret: URLs name a variable, ``${NAME}``, which is read when they are opened.

So whatever is copied from a study, its own ``study.yaml``, MLflow, a job's parcel, a report, has
nothing to hide.
"""

import os
import re
from collections.abc import Mapping
from urllib.parse import quote

from trainables.redaction import NAMED, REFERENCE, without_url_secrets

INSTEAD = {
    "http": "leave it out, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
    "https": "leave it out, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
    "s3": "leave it out, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}
"""What to do about a secret in a URL of a scheme; for others, a reference takes its place."""

NOT_OF_URLS = re.compile(r"[\s'\"<>]")
"""What ends a URL in a sentence; databases take it in a password all the same."""


def refuse_secrets(content: object, where: str = "") -> None:
    """See that no URL in settings holds a secret itself.

    Args:
        content: settings, nested; or a URL.
        where: what the settings are called, for the message.

    Raises:
        ValueError: naming the first that does, without the secret.
    """
    if isinstance(content, Mapping):
        for key, inner in content.items():
            refuse_secrets(inner, f"{where}/{key}" if where else str(key))
    elif isinstance(content, list | tuple):
        for index, inner in enumerate(content):
            refuse_secrets(inner, f"{where}/{index}")
    elif isinstance(content, str):
        _refuse(content, where)


def _refuse(text: str, where: str) -> None:
    scheme, slashes, rest = text.strip().partition("://")
    if not slashes or not scheme or any(c.isspace() for c in scheme + rest):
        return  # a sentence may have a URL in it that nobody opens
    hidden = without_url_secrets(text)
    login = scheme.lower() in INSTEAD and "@" in rest.partition("/")[0]
    if hidden != text or login:
        todo = INSTEAD.get(
            scheme.lower(),
            "write ${NAME} in its place, and set the variable NAME where the study runs",
        )
        raise ValueError(
            f"{where or 'the URL'} holds a secret ({hidden}), which would be copied into files and "
            f"MLflow; {todo}"
        )


def without_own_secrets(url: str | None) -> str | None:
    """A URL that is opened, as it is: an option of a verb, or a setting that is nothing else.

    Raises:
        ValueError: if it holds a secret, which every user of the machine would see.
    """
    refuse_secrets(url and NOT_OF_URLS.sub(lambda odd: quote(odd[0]), url))
    return url


def filled_in(url: str) -> str:
    """The URL with the values of the variables that it names, quoted as URLs want it.

    Only for whoever opens it in the next line: never to be kept or shown; from now on, errors and
    logs do not show the values, either.

    Raises:
        ValueError: if a variable is not set.
    """

    def value(name: str) -> str:
        if name not in os.environ:
            raise ValueError(
                f"{url} names the variable {name}, which is not set; set it where the study runs"
            )
        NAMED.add(name)
        return quote(os.environ[name], safe="")

    return REFERENCE.sub(lambda match: value(match["name"]), url)
