"""PostgreSQL, a bucket and an MLflow server over both: what a team's studies share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.services.bucket import Bucket
from benchmarks.services.postgres import Postgres
from benchmarks.services.tracking import ARTIFACTS, Mlflow


@dataclass
class Services:
    """All three, running."""

    postgres: Postgres
    bucket: Bucket
    mlflow: Mlflow

    @property
    def settings(self) -> dict[str, Any]:
        """What a study file says of them; ``PGPASSWORD`` has to be in the driver's environment."""
        return {"storage": self.postgres.url("optuna"), "tracking": {"uri": self.mlflow.uri}}

    @property
    def secrets(self) -> dict[str, str]:
        """What nobody may read anywhere, by what it is."""
        return {"password": self.postgres.password, "key of the bucket": self.bucket.secret}

    def texts(self) -> dict[str, str]:
        """Everything that the services hold and have said, by where it is."""
        return {
            "Optuna's database": self.postgres.dump("optuna"),
            "MLflow's database": self.postgres.dump("mlflow"),
            "MLflow's log": self.mlflow.log,
            "the bucket": " ".join(self.bucket.texts(ARTIFACTS)),
        }


@contextmanager
def services() -> Iterator[Services]:
    """Start them, and stop them at the end.

    Raises:
        FileNotFoundError: if PostgreSQL is not installed.
        ConnectionError: if one does not start.
    """
    with (
        Postgres("optuna", "mlflow") as postgres,
        Bucket() as bucket,
        Mlflow(postgres, bucket) as server,
    ):
        yield Services(postgres, bucket, server)
