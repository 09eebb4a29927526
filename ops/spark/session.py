"""A Spark session that reads the archive's tables, on loopback where its master is this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from pyspark.sql import SparkSession

S3A = {
    "endpoint": "endpoint",
    "region": "endpoint.region",
    "access_key_id": "access.key",
    "secret_access_key": "secret.key",
}


def open_session(jars: Path, access: Mapping[str, str], *, master: str) -> SparkSession:
    """Return a session with Delta (``jars`` is the folder of its jars) that reaches S3 by ``access``.

    Its clock is UTC. ``access`` has the names of `S3A`, each where it is known.
    """
    settings = {
        "spark.jars": ",".join(sorted(str(jar) for jar in jars.glob("*.jar"))),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if master.startswith("local"):
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
        settings |= {"spark.sql.shuffle.partitions": "4", "spark.databricks.delta.snapshotPartitions": "2"}
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # the workers' Python is this one
    settings |= {f"spark.hadoop.fs.s3a.{S3A[name]}": text for name, text in access.items()}
    if "endpoint" in access:  # no AWS: buckets are folders of its address, not hosts below it
        settings["spark.hadoop.fs.s3a.path.style.access"] = "true"
        settings["spark.hadoop.fs.s3a.connection.ssl.enabled"] = str(access["endpoint"].startswith("https:")).lower()
    return SparkSession.builder.master(master).appName("velox").config(map=settings).getOrCreate()


def table_url(url: str, measurement: str) -> str:
    """Return the address of a measurement's table in an archive, as Hadoop says it: it takes no escapes in paths."""
    place = unquote(url) if url.startswith("file:") else url.replace("s3://", "s3a://", 1)
    return f"{place.rstrip('/')}/{measurement}"
