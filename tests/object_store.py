"""An object store on this machine that speaks S3: what commands need in their environment, and a client to fill it.

The stores of one process share what they hold, one after the other too, so each is emptied when it is opened: a test that looks for the
first file of some kind would else find another test's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from moto.moto_api._internal import moto_api_backend
from moto.server import ThreadedMotoServer

BUCKET = "crawls"


class ObjectStore(NamedTuple):
    """Environment variables that point to the store, and a client of it."""

    env: dict[str, str]
    client: Any

    def upload(self, folder: Path, prefix: str) -> None:
        """Put all files below a folder under a prefix of the bucket."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.client.upload_file(str(path), BUCKET, f"{prefix}/{path.relative_to(folder).as_posix()}")

    def names(self, prefix: str) -> list[str]:
        """Return what lies under a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Serve an object store with one bucket."""
    moto_api_backend.reset()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        env = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield ObjectStore({**env, "AWS_ENDPOINT_URL": endpoint}, client)
    finally:
        server.stop()
