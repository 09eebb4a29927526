"""Rows that are written many at a time: each has the key that no other row of its table has had."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections, transaction

from trading.models import BrokerFile, Strategy
from trading.rows import insert, insert_many

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]


def strategies(count: int, prefix: str) -> list[Strategy]:
    return [Strategy(code=f"{prefix}{number}") for number in range(count)]


def written(rows: list[Strategy]) -> list[int]:
    """Write rows; return their keys, under which the table must have just them."""
    with transaction.atomic():
        insert_many(rows)
    keys = [row.pk for row in rows]
    assert keys == sorted(set(keys))
    assert {pk: row.code for pk, row in Strategy.objects.in_bulk(keys).items()} == {row.pk: row.code for row in rows}
    return keys


def test_keys_rise_in_the_order_of_the_rows_and_are_taken_by_nobody_after_them() -> None:
    insert_many([])
    first = written(strategies(300, "a"))
    one = Strategy(code="one")
    insert(one)
    by_the_orm = Strategy.objects.create(code="orm")
    assert first[-1] < one.pk < by_the_orm.pk < written(strategies(2, "b"))[0]


def test_the_keys_of_rows_that_are_gone_are_not_given_again() -> None:
    keys = written(strategies(5, "a"))
    Strategy.objects.filter(pk__in=keys).delete()
    assert written(strategies(5, "b"))[0] > keys[-1]


def test_two_hours_of_one_clock_time_stay_two_and_what_rows_share_is_written_in_each() -> None:
    now, zone = datetime(2026, 1, 5, 4, tzinfo=UTC), ZoneInfo("America/New_York")
    hours = [datetime(2025, 11, 2, 1, 30, tzinfo=zone, fold=fold) for fold in (0, 1)]
    assert hours[0] == hours[1]  # though one is an hour later
    files = [
        BrokerFile(account_id=1, sha256=str(number), broker="x", kind="y", rows_read=1, fills=1, recorded_at=at)
        for number, at in enumerate((*hours, now, now))
    ]
    insert_many(files)
    written_at = dict(BrokerFile.objects.values_list("sha256", "recorded_at"))
    assert [written_at[str(number)] for number in range(4)] == [*(at.astimezone(UTC) for at in hours), now, now]


def test_after_a_rollback_the_table_goes_on() -> None:
    rows = strategies(3, "a")
    with pytest.raises(RuntimeError), transaction.atomic():
        insert_many(rows)
        raise RuntimeError
    assert not Strategy.objects.filter(code__startswith="a").exists()
    written(strategies(3, "a"))


def test_two_writers_at_once_have_keys_of_their_own() -> None:
    if connection.vendor != "postgresql":
        return  # where one writer alone is let in

    def write_elsewhere() -> list[int]:
        try:
            return written(strategies(50, "elsewhere"))
        finally:
            connections.close_all()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        rows = strategies(50, "here")
        insert_many(rows[:25])
        elsewhere = pool.submit(write_elsewhere).result()
        insert_many(rows[25:])
    here = [row.pk for row in rows]
    assert not {*here} & {*elsewhere} and Strategy.objects.filter(pk__in=[*here, *elsewhere]).count() == 100
