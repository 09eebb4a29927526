"""Columns that stay on disk: of what was booked since nothing is left out, and a file that does not fit is not used."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.conf import settings
from django.db import connection, transaction

from tests import page_desk
from tests.conftest import Ledger
from tests.trading.kept_rows import assert_kept_tables_stand, rows_of
from trading.bookkeeping import journal
from trading.models import Realisation, Signal, Trade
from trading.operations.add_capital import add_capital
from trading.operations.amend import amend
from trading.operations.void import void
from trading.queries import exit_tables, kept_tables, sealed_parts
from trading.queries.accounts import get_account
from trading.queries.exit_tables import EXITS, PARTED, read_exits
from trading.queries.kept import all_kept, mark_of
from trading.queries.kept_tables import BESIDE, KeptTable, signal_recorded, touched_between, trade_touched
from trading.queries.reports import selection, strategy_report, symbol_report
from trading.queries.signal_report import SIGNALS

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]
WHO = {"by": "asha", "reason": "typed wrong"}
NOW = datetime(2024, 3, 18, 12, tzinfo=UTC)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Which trades were read of the ledger: None for all."""
    asked: list[Any] = []
    table = KeptTable(
        "exits", "1", lambda account, trades: asked.append(trades) or read_exits(account, trades), by=PARTED
    )
    monkeypatch.setattr(exit_tables, "EXITS", table)
    yield asked


def ask() -> Any:
    return rows_of(exit_tables.EXITS.of(get_account("main")))


def now() -> Any:
    return rows_of(read_exits(get_account("main"), None))


def file() -> Path:
    return Path(settings.DATA_DIR, "columns", f"exits-{get_account('main').pk}")


def pk_of(trade_id: str) -> int:
    return Trade.objects.get(trade_id=trade_id).pk


def test_what_was_read_once_is_read_of_touched_trades_alone(reads: list[Any]) -> None:
    page_desk.trades(3)
    assert ask() == ask() == now()
    assert reads == [None]
    amend(pk_of("T2"), price="1.5", fill=1, **WHO)
    page_desk.trades(1, first=4)
    add_capital("main", NOW.date(), 100, by="asha")
    assert ask() == now()
    assert reads == [None, {pk_of("T2"), pk_of("T4")}]
    void(pk_of("T1"), **WHO)
    assert ask() == now()
    assert len(now()) == 3


def test_a_report_of_what_is_kept_is_that_of_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    page_desk.trades(5)
    page_desk.open_trade()
    page_desk.member("asha")

    def told() -> list[Any]:
        for answers in all_kept:
            answers.clear()
        account = get_account("main")
        narrowed = [
            {},
            {"strategy_id": page_desk.STRATEGIES[0]},
            {"symbol": "RELIANCE"},
            {"first": "2024-03-15", "last": "2024-03-15"},
        ]
        return [
            report(selection(account, **of), now=NOW) for report in (strategy_report, symbol_report) for of in narrowed
        ]

    for change in (
        lambda: None,
        lambda: amend(pk_of("T3"), price="2", fill=1, **WHO),
        lambda: page_desk.trades(2, first=6),
        lambda: page_desk.reviewed("T4"),
        lambda: amend(pk_of("T2"), strategy_id=page_desk.STRATEGIES[0], **WHO),
        lambda: amend(pk_of("T3"), strategy_id=page_desk.STRATEGIES[1], **WHO),
    ):
        change()
        of_ledger = told()
        with monkeypatch.context() as patched:
            patched.setattr(kept_tables, "SOUGHT_MIN", 0)
            patched.setattr(sealed_parts, "ROWS_MIN", 1)
            assert told() == of_ledger
    assert file().exists()


def test_of_one_strategy_its_parts_alone_are_read_and_proved(reads: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_parts, "ROWS_MIN", 1)
    page_desk.trades(6)
    account, keys = get_account("main"), sorted({*Trade.objects.values_list("strategy_id", flat=True)})

    def rows(key: int) -> Any:
        return rows_of(exit_tables.EXITS.of(account, strategy_id=key))

    expected = {key: [row for row in ask() if ("strategy_id", key) in row] for key in (*keys, -1)}
    assert {key: rows(key) for key in expected} == expected
    assert [len(rows) for rows in expected.values()] == [2, 2, 2, 0]
    whole = file().read_bytes()
    file().write_bytes(whole[:-9] + b"x" + whole[-8:])  # of the strategy with the highest key
    assert {key: rows(key) for key in keys[:-1]} == {key: expected[key] for key in keys[:-1]}
    assert reads == [None]
    assert rows(keys[-1]) == expected[keys[-1]]
    assert reads == [None, None]


def test_a_part_that_is_whole_but_another_is_not_used(reads: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_parts, "ROWS_MIN", 1)
    page_desk.trades(2)
    ask()
    head, _, body = file().read_bytes().partition(b"\n")
    sizes = [section["size"] for section in json.loads(head.partition(b" ")[2])["parts"]]
    first = body[sizes[0] : sizes[0] + sizes[1]]
    rows = pa.ipc.open_stream(first).read_all()
    place, sink = rows.column_names.index("pnl"), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=sealed_parts.PACKED) as stream:
        stream.write_table(rows.set_column(place, "pnl", pa.array([1] * len(rows))))
    forged = sink.getvalue().to_pybytes().ljust(len(first), b"\0")
    assert len(forged) == len(first)
    for harmed in (body.replace(first, forged), body.replace(first, b"")):
        file().write_bytes(head + b"\n" + harmed)
        assert ask() == now()
    assert reads == [None] * 3


def test_the_file_is_private_and_one_that_was_touched_is_not_used(reads: list[Any]) -> None:
    page_desk.trades(2)
    ask()
    assert stat.S_IMODE(file().stat().st_mode) == 0o600
    assert stat.S_IMODE(file().parent.stat().st_mode) == 0o700
    whole = file().read_bytes()
    for harmed in (b"", whole[:20], whole[:-1], whole[:-9] + b"x" + whole[-8:], whole[:40] + b"x" + whole[41:]):
        file().write_bytes(harmed)
        assert ask() == now()
    assert reads == [None] * 6
    file().unlink()
    assert ask() == now()


def test_what_the_journal_does_not_lead_to_is_read_anew() -> None:
    """As after a restore: the journal is as long as it was, or longer, but not the one that the file was read at."""
    page_desk.trades(1)
    account = get_account("main")
    since = mark_of(account)
    page_desk.trades(1, first=2)
    until = mark_of(account)
    assert touched_between(account, since, until) == {pk_of("T2")}
    assert touched_between(account, until, until) == set()
    for other in (
        since._replace(mac="0" * 64),
        since._replace(ledger="another"),
        since._replace(sequence=since.sequence - 1),
        until._replace(mac="0" * 64),
        until._replace(sequence=until.sequence + 1),
    ):
        assert touched_between(account, other, until) is None


def test_a_row_that_names_nothing_may_have_changed_anything() -> None:
    page_desk.trades(1)
    account = get_account("main")
    since = mark_of(account)
    with transaction.atomic():
        journal.append(account, "merge_instruments", {}, now=NOW)
    for touches in (trade_touched, signal_recorded):
        assert touched_between(account, since, mark_of(account), touches) is None


def test_signals_are_those_that_were_recorded_by_themselves_and_with_trades() -> None:
    page_desk.trades(1)
    assert_kept_tables_stand()
    page_desk.skipped(3)
    page_desk.trades(2, first=2)
    assert_kept_tables_stand()
    assert SIGNALS.of(get_account("main")).num_rows == Signal.objects.count() > 3


def test_each_operation_names_its_trade_or_is_known_to_change_none() -> None:
    """What the journal's page lists is here, too: a new operation is to be thought of."""
    listed = re.search(r"The operations: ([\w, \n]+)\.", journal.__doc__ or "")
    assert listed
    operations = set(re.findall(r"\w+", listed[1]))
    of_trades = {
        *("open_position", "add_fill", "close_position", "update_trailing_sl", "review_trade", "amend", "void"),
        *("set_charges", "correct_contract", "apply_split", "book_trade", "add_screenshot", "withdraw_screenshot"),
    }
    assert operations == of_trades | BESIDE | {"clear_account"}  # after which all is read anew


def test_what_lags_far_behind_is_read_anew_and_the_file_follows(
    reads: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    page_desk.trades(1)
    ask()
    first = file().read_bytes()
    page_desk.trades(1, first=2)
    ask()
    assert file().read_bytes() == first
    monkeypatch.setattr(kept_tables, "STEPS_KEPT", 0)
    ask()
    assert file().read_bytes() != first
    monkeypatch.setattr(kept_tables, "STEPS_MAX", 1)
    page_desk.trades(1, first=3)
    assert ask() == now()
    assert reads == [None, {pk_of("T2")}, {pk_of("T2")}, None]


def test_a_disk_that_takes_no_file_leaves_the_answer_right(reads: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    page_desk.trades(2)
    file().parent.write_text("no folder")
    assert ask() == ask() == now()
    assert reads == [None, None]


def test_a_folder_that_cannot_be_looked_into_leaves_the_answer_right(reads: list[Any]) -> None:
    page_desk.trades(2)
    file().parent.symlink_to("n" * 300)  # as one of another user, whom root would not notice
    assert not exit_tables.EXITS.is_worth_it(get_account("main"), Realisation.objects.all(), is_parted=True)
    assert ask() == now()
    assert reads == [None]


def test_a_migration_since_makes_all_read_anew(reads: list[Any]) -> None:
    page_desk.trades(1)
    ask()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('trading', '9999_x', %s)", [NOW])
    try:
        ask()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE name = '9999_x'")
    assert reads == [None, None]


def test_accounts_have_files_of_their_own(ledger: Ledger) -> None:
    page_desk.trades(1)
    assert_kept_tables_stand()
    assert_kept_tables_stand("replay")
    assert EXITS.of(get_account("replay")).num_rows == 0 < Realisation.objects.count()
