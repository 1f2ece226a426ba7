"""An S3 server with one bucket: moto's, which keeps everything in memory."""

import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from benchmarks.services.service import HOST, Service, clean_environment, free_port

NAME = "studies"


class Bucket:
    """On a free port of 127.0.0.1; what is in it is gone when the server ends.

    Attributes:
        secret: its key; the server does not check it, but it must not leak either.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.secret = secrets.token_hex(20)
        self._folder = tempfile.TemporaryDirectory(prefix="s3-")
        self.service = Service(
            "the S3 server",
            [sys.executable, "-m", "moto.server", "--host", HOST, "--port", str(self.port)],
            clean_environment(),
            Path(self._folder.name) / "s3.log",
            self._answers,
        )

    def __enter__(self) -> Self:
        self.service.start()
        self.client().create_bucket(Bucket=NAME)
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stop()
        self._folder.cleanup()

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What lets boto3, pyarrow and MLflow in."""
        return {
            "AWS_ACCESS_KEY_ID": "tuner",
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def url(self, folder: str) -> str:
        """``s3://studies/mlflow``."""
        return f"s3://{NAME}/{folder}"

    def client(self) -> Any:
        """boto3's."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id="tuner",
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
        )

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Every object below a folder, with its bytes."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=NAME, Prefix=folder)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", ())}

    def read(self, key: str) -> bytes:
        """What an object holds."""
        return bytes(self.client().get_object(Bucket=NAME, Key=key)["Body"].read())

    def texts(self, folder: str = "") -> Iterator[str]:
        """What objects hold, byte by byte."""
        for key in self.sizes(folder):
            yield self.read(key).decode("latin-1")

    def _answers(self) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.client().list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True
