"""Imports beside what others do to the account in the same moment."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from django.db import connection

from tests.trading.brokers.test_note_pdfs import close_together
from tests.trading.brokers.test_recognition import FILES
from tests.trading.statements import DAY, future, line, statement
from trading.errors import LedgerBusy, LedgerReadOnly, WrongClient
from trading.models import BrokerFile, BrokerFill, Fill, StatedCharge, Trade
from trading.operations import import_files as importing_files
from trading.operations import import_fills as importing
from trading.operations.clear_account import clear_account
from trading.operations.create_account import create_account
from trading.operations.import_files import BrokerUpload, ImportOptions, import_files
from trading.operations.import_fills import import_fills

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("proved")]
CLEARED = "account tried was cleared at the same time"


@pytest.fixture
def tried() -> str:
    """Return the code of an account that can be cleared."""
    return create_account("tried", book="replay", currency="INR", zone="Asia/Kolkata", capital=0, capital_date=DAY).code


def rows_left() -> int:
    models = (BrokerFile, BrokerFill, Trade, Fill, StatedCharge)
    return sum(model.objects.count() for model in models)


@pytest.mark.parametrize("stage", ["fills", "trades"])
def test_an_import_whose_account_is_cleared_ends_and_leaves_it_empty(tried: str, stage: str) -> None:
    fills = [line(str(n), "BUY" if n % 2 else "SELL", 10) for n in range(1, 5)]
    fills += [future(str(n), "BUY" if n % 2 else "SELL", 75) for n in range(5, 9)]

    def clear(now: str, *_: int) -> None:
        if now == stage:
            clear_account(tried)

    with pytest.raises(LedgerBusy, match=CLEARED):
        import_fills(tried, statement(fills), progress=clear)
    assert rows_left() == 0
    assert import_fills(tried, statement(fills)).fills == len(fills)
    assert (Trade.objects.count(), Fill.objects.count()) == (4, 8)


def test_charges_of_a_file_are_not_kept_where_the_account_was_cleared_since(
    tried: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = close_together(FILES["groww-note"][0]().lines)
    note = BrokerUpload("note.pdf", lambda: content)
    propose_actions = importing_files.propose_actions

    def after_clearing(*arguments: Any, **keywords: Any) -> Any:
        clear_account(tried)
        return propose_actions(*arguments, **keywords)

    with monkeypatch.context() as patch, pytest.raises(LedgerBusy, match=CLEARED):
        patch.setattr(importing_files, "propose_actions", after_clearing)
        import_files(tried, [note], ImportOptions())
    assert rows_left() == 0
    (again,) = import_files(tried, [note], ImportOptions())
    assert again.charges == StatedCharge.objects.count() > 0


def test_two_clients_whose_first_files_come_at_once_do_not_share_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = importing._alone

    @contextmanager
    def after_another() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(importing, "_alone", alone)
            import_fills("main", statement([line("1", "BUY", 10)], client="AB1234"))
        with alone():
            yield

    monkeypatch.setattr(importing, "_alone", after_another)
    with pytest.raises(WrongClient):
        import_fills("main", statement([line("2", "BUY", 10)], client="ZZ9999"))
    assert Fill.objects.get().fill_id == "1"


def test_an_import_into_a_folder_that_may_not_be_written_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PostgreSQL needs no file for the lock of imports."""

    def refused(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(importing, "FileLock", refused)
    is_file = connection.vendor == "sqlite"
    refusal = pytest.raises(LedgerReadOnly, match=r"cannot be written here \(Permission denied\)")
    with refusal if is_file else nullcontext():
        import_fills("main", statement([line("1", "BUY", 10)]))
    assert Fill.objects.exists() != is_file
