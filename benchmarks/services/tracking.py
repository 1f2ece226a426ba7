"""``mlflow server`` as a team has it: its records in PostgreSQL, its artifacts in a bucket."""

import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Self

from benchmarks.services.bucket import Bucket
from benchmarks.services.postgres import Postgres
from benchmarks.services.service import HOST, Service, clean_environment, free_port
from tuner.tracking.server import QUIET

ARTIFACTS = "mlflow"
"""The folder of the bucket."""


class Mlflow:
    """On a free port of 127.0.0.1, over a database called ``mlflow``; clients need no secrets."""

    def __init__(self, postgres: Postgres, bucket: Bucket) -> None:
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="mlflow-")
        store = ["--backend-store-uri", postgres.url("mlflow", "postgresql+psycopg2")]
        artifacts = ["--artifacts-destination", bucket.url(ARTIFACTS)]
        place = ["--host", HOST, "--port", str(self.port), "--workers", "1"]
        self.service = Service(
            "the MLflow server",
            [sys.executable, "-m", "mlflow", "server", *store, *artifacts, *place],
            clean_environment(**QUIET, **postgres.environment, **bucket.environment),
            Path(self._folder.name) / "mlflow.log",
            self._answers,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stop()
        self._folder.cleanup()

    @property
    def uri(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> str:
        """All that it has said."""
        return self.service.log.read_text(errors="replace")

    def start(self) -> None:
        """Start it, on the port where it was."""
        self.service.start()

    def kill(self) -> None:
        """SIGKILL all its processes."""
        self.service.kill()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
