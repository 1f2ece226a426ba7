"""Text for people and files, without the secrets that it may hold."""

import base64
import json
import os
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

HIDDEN = "***"
SHORTEST = 8
"""Characters of a variable's value that is looked for; shorter ones stand in any text by chance."""

REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")
"""``${NAME}``: a variable of the environment in place of a secret."""

SECRET_VARIABLE = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL|_(PASS|PWD)$|(^|_)TOKEN(_|$)"
    r"|(ACCESS|API|AUTH|PRIVATE|ACCOUNT)_?KEY",
    re.IGNORECASE,
)
NAMED: set[str] = set()
"""Variables that a URL of this process named in place of a secret, whatever they are called."""

_PLACE = re.compile(r"_(PATH|FILE|DIR|MODE|TTL|TIMEOUT|EXPIRATION)$", re.IGNORECASE)
_END = r"\s'\"<>"
_WORD_OF_TEXT = re.compile(rf"[^{_END}]+")
_LOGIN = re.compile(
    r"(?P<port>(?i:https?)://[^:/@]*:\d*/)"  # of http://host:80/a@b, the path
    r"|(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30})://(?P<user>[^:/@]*)(?::(?P<password>.*))?@"
)
"""Of a word that ends with ``@``, where it needs no more time than the word is long."""
_PART = r"[\w.-]{0,60}"
_SECRET_NAME = (
    rf"{_PART}(?:password|passwd|passphrase|secret){_PART}"
    rf"|(?:{_PART}[_.-])?(?:pwd|token|signature|sig|credentials?"
    r"|(?:access|api|private|account)_?key(?:_id)?)"
)
_PARAMETER = re.compile(
    rf"(?P<name>[?&;](?:{_SECRET_NAME})=)(?P<value>[^&;#{_END}]+)", re.IGNORECASE
)
_WORD = re.compile(
    rf"(?P<name>\b\w*(?:password|passwd|secret_?(?:access_?)?key)=)(?P<value>[^&;#{_END}]+)",
    re.IGNORECASE,
)
_HEADER = re.compile(r"\b(?P<name>(?:Bearer|Basic) )(?P<value>[\w+/=.~-]{8,})")


def without_secrets(text: str) -> str:
    """The text with ``***`` for logins in URLs, passwords and keys, and secret variables' values.

    Secret are the variables of the environment whose name says so, such as ``PGPASSWORD`` and
    ``AWS_SECRET_ACCESS_KEY``, and those that are ``NAMED``, if they have 8 characters or more; also
    where they are URL-quoted or base64. The reference ``${NAME}`` itself stays.
    """
    text = without_url_secrets(text)
    for pattern in (_WORD, _HEADER):
        text = pattern.sub(_hidden_value, text)
    for value in sorted(_secret_values(), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def without_url_secrets(text: str) -> str:
    """The text with ``***`` for the password of each URL, and for secrets in its query."""
    return _PARAMETER.sub(_hidden_value, _WORD_OF_TEXT.sub(_without_logins, text))


def _without_logins(word: re.Match[str]) -> str:
    end = word[0].rfind("@") + 1
    return _LOGIN.sub(_hidden_login, word[0][:end]) + word[0][end:]


def _hidden_login(match: re.Match[str]) -> str:
    scheme, user, password = match["scheme"], match["user"], match["password"]
    if match["port"]:
        return match[0]
    if password is None:  # a token is often all there is of a login on the web
        web = scheme.lower() in {"http", "https"}
        return f"{scheme}://{HIDDEN if web and user else user}@"
    return f"{scheme}://{user}:{_hidden(password)}@"


def _hidden_value(match: re.Match[str]) -> str:
    return f"{match['name']}{_hidden(match['value'])}"


def _hidden(secret: str) -> str:
    return secret if not secret or REFERENCE.fullmatch(secret) else HIDDEN


def _secret_values() -> Iterator[str]:
    """Values of secret variables, in every form in which they may have been written."""
    for name, value in os.environ.items():
        known = name in NAMED or (SECRET_VARIABLE.search(name) and not _PLACE.search(name))
        is_path = value.startswith("/") and os.path.lexists(value)  # of a file that holds it
        if known and len(value) >= SHORTEST and not is_path:
            encoded = base64.b64encode(value.encode()).decode()
            literal = {form(value)[1:-1] for form in (repr, json.dumps)}
            quoted = {quote(value), quote(value, safe=""), quote_plus(value)}
            yield from {value, encoded, *quoted, *literal}
