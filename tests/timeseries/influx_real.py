"""A bucket of a test's own on a real InfluxDB 2, named by VELOX_TEST_INFLUX_URL, _ORG and _TOKEN; dropped after."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.timeseries.batches import INDIA
from timeseries.stores.influx.server import InfluxServer
from timeseries.stores.influx.store import InfluxStore

URL = "VELOX_TEST_INFLUX_URL"


def influx_server() -> InfluxServer:
    """Return the server; skips loudly where none is named."""
    if not os.environ.get(URL):
        pytest.skip(f"{URL} names no InfluxDB 2: set it with _ORG and _TOKEN (one that may make buckets)")
    org, token = os.environ["VELOX_TEST_INFLUX_ORG"], os.environ["VELOX_TEST_INFLUX_TOKEN"]
    return InfluxServer(os.environ[URL], org=org, token=token, timeout_seconds=(2.0, 60.0))


@contextmanager
def influx_store() -> Iterator[InfluxStore]:
    server = influx_server()
    buckets = server.client.buckets_api()
    bucket = buckets.create_bucket(bucket_name=f"velox-test-{uuid.uuid4().hex[:12]}", org=server.org)
    try:
        yield InfluxStore(server, bucket=bucket.name, zone=INDIA)
    finally:
        buckets.delete_bucket(bucket)
        server.close()
