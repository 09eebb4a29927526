"""Keeping a run: its trades written into the ledger as a replay would."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

from django.conf import settings

from lab.backtest.desk import LabDesk
from lab.domain.fills import LabTrade
from trading.domain.money import from_units
from trading.errors import InvalidValue, UnknownAccount
from trading.models import Account
from trading.operations.add_fill import add_fill
from trading.operations.close_position import close_position
from trading.operations.create_account import create_account
from trading.operations.open_position import open_position
from trading.queries.accounts import get_account
from trading.transactions import ask

REPLAY = "replay"
EVER = date(2000, 1, 1)  # the day from which on a desk's own accounts have their capital


def replay_account(code: str) -> Account:
    """Return an account, made with the desk's currency and capital where there is none of this code.

    Raises: InvalidValue, LedgerBusy, LedgerNotReady.
    """
    with suppress(UnknownAccount):
        return ask(get_account, code)
    return create_account(
        code, book=REPLAY, currency=settings.VELOX_CURRENCY, zone=settings.TIME_ZONE, capital=settings.VELOX_CAPITAL,
        capital_date=EVER,
    )  # fmt: skip


def keep_run(desk: LabDesk, account: Account) -> int:
    """Write every trade of a run that was opened into an account of book `replay`; return how many those are.

    The same run again changes nothing.

    Raises: InvalidValue for an account of another book; IdConflict where it holds other trades under these ids;
        LedgerBusy, LedgerNotReady.
    """
    if account.book != REPLAY:
        raise InvalidValue(
            f"Account {account.code} is a {account.book} book.",
            field="account",
            hint="Made-up trades belong into one of book replay: `manage.py account create CODE --book replay`.",
        )
    trades = [trade for trade in desk.trades if trade.fills]
    for trade in trades:
        _keep(account.code, trade)
    return len(trades)


def _keep(code: str, trade: LabTrade) -> None:
    name, strategy, symbol = trade.trade_id, trade.strategy_id, trade.symbol
    for number, fill in enumerate(trade.fills):
        execution = fill.execution
        price, quantity = from_units(execution.price), from_units(execution.quantity)
        charges = None if execution.charges is None else from_units(execution.charges)
        fill_id = f"{name}-{number}"
        if number == 0:
            stop = None if trade.first_stop is None else from_units(trade.first_stop)
            open_position(
                code, name, strategy, symbol, entry_price=price, quantity=quantity, entry_time=fill.at,
                side=trade.holding.side, stop_price=stop, charges=charges, fill_id=fill_id,
            )  # fmt: skip
        elif fill.realised is not None and fill.realised.closes:
            close_position(
                code, name, strategy, symbol, exit_price=price, exit_time=fill.at, exit_reason=trade.exit_reason,
                charges=charges, fill_id=fill_id,
            )  # fmt: skip
        else:
            add_fill(
                code, name, execution.side, price, quantity, fill.at, strategy_id=strategy, charges=charges,
                fill_id=fill_id,
            )  # fmt: skip
