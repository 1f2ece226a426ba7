"""An audit hook that stops what reading a file must never do, and tells."""

import encodings
import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

CHANGES = {
    "os.chmod",
    "os.chown",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
    "os.utime",
    "shutil.move",
    "shutil.rmtree",
}
"""Of files and folders; allowed inside the sandbox."""

NEVER = (
    "ctypes.",
    "exec",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "pickle.find_class",
    "pty.",
    "socket.",
    "subprocess.",
    "webbrowser.",
)
"""Code, programs and the network; so begin the events."""

READABLE = tuple(
    str(Path(place).resolve())
    for place in (
        Path(__file__).parents[2],
        sys.prefix,
        sys.base_prefix,
        sysconfig.get_paths()["stdlib"],
        "/proc",
        "/sys",
        "/usr/lib",
        "/usr/share",
    )
)
"""Where the programs themselves lie."""


CODECS = str(Path(encodings.__file__).parent)
"""Of Python; loaded when a file names one."""


class EscapeError(Exception):
    """What an input tried; it did not succeed."""


class Guard:
    """Watches this process from now on, while :meth:`watching`.

    Args:
        sandbox: the folder in which files may be written.
    """

    def __init__(self, sandbox: Path) -> None:
        self._sandbox = str(sandbox.resolve())
        self._on = False
        self.escapes: list[str] = []
        """What was tried since the last look, the first first."""
        sys.addaudithook(self._judge)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Judge what happens inside."""
        self.escapes, self._on = [], True
        try:
            yield
        finally:
            self._on = False

    def _judge(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        self._on = False  # what is called here is not judged
        try:
            if tried := self._tried(event, arguments):
                self.escapes.append(tried)
                raise EscapeError(tried)
        finally:
            self._on = True

    def _tried(self, event: str, arguments: tuple[Any, ...]) -> str:
        """What is not allowed, in words; or nothing."""
        if event == "exec" and getattr(arguments[0], "co_filename", "").startswith(CODECS):
            return ""
        if event.startswith(NEVER):
            return f"{event} {str(arguments[:2])[:100]}"
        if event == "import":
            module = str(arguments[0])
            return "" if module.startswith(("encodings", "torch.")) else f"import of {module}"
        if event == "open":
            return self._opened(*arguments)
        if event in CHANGES:
            outside = [one for one in arguments if self._is_outside(one, (self._sandbox,))]
            return f"{event} of {outside[0]}" if outside else ""
        return ""

    def _opened(self, path: object, mode: str | None, flags: int) -> str:
        if flags & WRITES or set(mode or "") & set("wax+"):
            return f"write to {path!s}" if self._is_outside(path, (self._sandbox,)) else ""
        return f"read of {path!s}" if self._is_outside(path, (self._sandbox, *READABLE)) else ""

    def _is_outside(self, path: object, places: tuple[str, ...]) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False  # a descriptor that is open, a mode, a folder's descriptor
        real = os.path.realpath(os.fsdecode(path))
        return not any(real == place or real.startswith(f"{place}{os.sep}") for place in places)
