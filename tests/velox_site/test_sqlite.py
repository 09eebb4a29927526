"""The ledger's file as every connection meets it, with or without VELOX's own lock."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from trading.models import Strategy


@pytest.fixture
def copy(ledger: Any) -> Path:
    """A copy of the ledger, to be put in its place."""
    if ledger.vendor != "sqlite":
        pytest.skip("a server keeps its own files")
    connection.close()
    return Path(shutil.copy(ledger.data_dir / "ledger.sqlite3", ledger.data_dir / "copy.sqlite3"))


def replaced_by(copy: Path) -> None:
    for end in ("-wal", "-shm"):
        copy.with_name(f"ledger.sqlite3{end}").unlink(missing_ok=True)
    os.replace(copy, copy.with_name("ledger.sqlite3"))


def codes_on_disk() -> list[str]:
    connection.close()
    return list(Strategy.objects.values_list("code", flat=True))


def test_an_open_connection_finds_the_file_that_took_the_place_of_its_own(copy: Path) -> None:
    Strategy.objects.create(code="before")
    replaced_by(copy)
    assert not Strategy.objects.exists()
    Strategy.objects.create(code="after")
    assert codes_on_disk() == ["after"]


def test_who_waited_for_another_writer_while_the_file_was_replaced_writes_to_the_one_that_stands_there(
    copy: Path,
) -> None:
    """Any writer's: the admin's own saves take no lock but the database's."""
    Strategy.objects.create(code="before")

    def wait(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("BEGIN") and copy.exists():
            replaced_by(copy)
        return execute(sql, *rest)

    with connection.execute_wrapper(wait), transaction.atomic():
        Strategy.objects.create(code="after")
    assert not copy.exists()
    assert codes_on_disk() == ["after"]
