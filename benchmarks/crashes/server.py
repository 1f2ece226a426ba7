"""A real MLflow server that is killed and started again on its port."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

import psutil

from benchmarks.crashes.driver import command_line, kill
from benchmarks.services.service import free_port
from tuner.tracking.server import serve


class Server:
    """The project's own server over a SQLite database."""

    def __init__(self, folder: Path) -> None:
        self._store = f"sqlite:///{(folder / 'server.db').as_posix()}"
        self._open = ExitStack()
        self.uri = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def start(self) -> None:
        """Start it, on the port where it was."""
        port = int(self.uri.rpartition(":")[2]) if self.uri else free_port()
        self.uri = self._open.enter_context(serve(self._store, port))

    def kill(self) -> None:
        """SIGKILL all its processes."""
        own = psutil.Process().children(recursive=True)
        for process in own:
            line = command_line(process)
            if self._store in line or self.uri.rpartition(":")[2] in line:
                for child in [*process.children(recursive=True), process]:
                    kill(child)
        self._open.close()
