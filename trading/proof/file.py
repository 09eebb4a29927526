"""The ledger's file, checked by SQLite itself."""

from __future__ import annotations

from trading.proof.rows import Tables

FILE, CONSTRAINT = "file", "constraint"


def check_file(tables: Tables) -> None:
    """Find what SQLite itself finds: it reads the whole file, pages, indexes, and each row against its constraints."""
    if tables.connection.vendor != "sqlite":
        return
    for (text,) in tables.rows("PRAGMA integrity_check(100)"):
        if text != "ok":
            table = text.rpartition(" in ")[2] if " in trading_" in text else ""
            tables.findings.add(FILE, table, None, None, text, "ok")
    for table, pk, parent, _ in tables.rows("PRAGMA foreign_key_check"):
        if table.startswith("trading_"):
            tables.findings.add(CONSTRAINT, table, pk, None, "refers to nothing", f"a row of {parent}")
