"""`make spark`: install Spark and Delta's jars into `var/engines/spark`; its candles and excursions equal the desk's.

Spark comes from requirements-spark.txt, Delta from Maven by ops/spark/pom.xml, both by their checksums. Where
`SPARK_S3=1` the S3 client of Hadoop comes, too (650 MB), and the archive is on a real S3 server (`make s3`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.environments import interpreter_of
from tests.s3_server import s3_server

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT, LOCK = ROOT / "var" / "engines" / "spark", ROOT / "requirements-spark.txt"
POM, SUMS = ROOT / "ops" / "spark" / "pom.xml", ROOT / "ops" / "spark" / "jars.sha256"
OF_SPARK = "hadoop-client-api,hadoop-client-runtime"  # Spark brings its own
GROUPS = ["io.delta", "io.unitycatalog"]
S3_GROUPS = ["org.apache.hadoop", "software.amazon.awssdk", "software.amazon.s3.analyticsaccelerator"]


def main() -> int:
    """Return 0 where all is equal; 1 where it is not, or something is missing."""
    if missing := [name for name in ("java", "mvn") if shutil.which(name) is None]:
        print(f"Spark needs Java 17 and Maven: {' and '.join(missing)} not found.")
        return 1
    is_s3 = os.environ.get("SPARK_S3") == "1"
    python, jars = interpreter_of(ENVIRONMENT, LOCK), jars_of(is_s3=is_s3)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_JARS": str(jars)}
    command = [python, "-m", "tests.ops.spark_equality"]
    with ExitStack() as stack:
        if is_s3:
            server = stack.enter_context(s3_server(Path(stack.enter_context(TemporaryDirectory(prefix="velox-s3-")))))
            environment["VELOX_ARCHIVE_URL"] = server.url
            environment |= {f"VELOX_ARCHIVE_{name.upper()}": str(text) for name, text in server.access.items()}
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def jars_of(*, is_s3: bool) -> Path:
    """Return the folder of the jars, each of which is what was locked. Raises: SystemExit where one is not."""
    folder = ENVIRONMENT / ("jars-s3" if is_s3 else "jars")
    groups = [*GROUPS, *S3_GROUPS] if is_s3 else GROUPS
    sums = dict(reversed(line.split()) for line in SUMS.read_text().splitlines())
    if not folder.exists():
        scratch = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(scratch, ignore_errors=True)
        copy = ["mvn", "-q", "-B", "-f", POM, "dependency:copy-dependencies", f"-DoutputDirectory={scratch}"]
        copy += [f"-DincludeGroupIds={','.join(groups)}", f"-DexcludeArtifactIds={OF_SPARK}"]
        subprocess.run([*copy, "-P", "s3"] if is_s3 else copy, cwd=ROOT, check=True)
        scratch.rename(folder)
    for jar in sorted(folder.glob("*.jar")):
        with jar.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if sums.get(jar.name) != digest:
            raise SystemExit(f"{jar} is not what ops/spark/jars.sha256 has: remove {folder} and try again.")
    return folder


if __name__ == "__main__":
    sys.exit(main())
