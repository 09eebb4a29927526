"""The composition root: wires the packages together and decides nothing else."""

import sys

try:
    # Django's backend imports `sqlite3`; this wheel is the same module over a SQLite whose WAL mode keeps every commit.
    import pysqlite3
except ImportError:  # no wheel for this platform: velox.W001 says what follows from it
    pass
else:
    sys.modules["sqlite3"] = pysqlite3
    sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2
