"""Rows of the fills that an import keeps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from trading.bookkeeping import incoming_fills, references
from trading.bookkeeping.incoming_fills import IncomingFill, Sorted
from trading.brokers.values import Remark
from trading.domain.money import from_units
from trading.errors import VeloxError
from trading.models import Account, BrokerFile, BrokerFill, Instrument, Strategy
from trading.queries.instruments import find_instrument


def kept_rows(file: BrokerFile, account: Account, fills: Sorted) -> list[BrokerFill]:
    """Return the rows of new fills; those that their instrument cannot have are moved to the refused ones."""
    now = datetime.now(UTC)
    strategies = _strategies_of_orders(account, fills.new)
    instruments: dict[str, Instrument] = {}
    by_name: dict[str, Strategy] = {}
    rows = []
    for each in fills.new:
        try:
            if each.symbol not in instruments:
                instruments[each.symbol] = _instrument(each, account)
            fill = incoming_fills.checked(each, instruments[each.symbol], account).fill
        except VeloxError as error:
            fills.refused.append(Remark(each.line.place, error.code, str(error)))
            continue
        if each.strategy not in by_name:
            by_name[each.strategy] = references.strategy_of(each.strategy)
        of_order = strategies.get((instruments[each.symbol].pk, fill.order_id or ""))
        rows.append(
            BrokerFill(
                account=account,
                file=file,
                exchange=instruments[each.symbol].exchange,
                instrument=instruments[each.symbol],
                strategy=of_order or by_name[each.strategy],
                day=fill.day,
                broker_fill_id=fill.key,
                order_id=fill.order_id,
                kind=fill.kind,
                side=fill.side,
                quantity=from_units(fill.quantity),
                price=from_units(fill.price),
                charges=None if fill.charges is None else from_units(fill.charges),
                at=fill.at,
                place=fill.position,
                is_cash=fill.is_cash,
                isin=each.line.instrument.isin or "",
                recorded_at=now,
            )
        )
    return rows


def _instrument(incoming: IncomingFill, account: Account) -> Instrument:
    """Return the instrument of a fill; one that is made here has the multiplier that the file tells."""
    known_before = find_instrument(incoming.symbol)
    instrument = references.instrument_of(incoming.symbol, account)
    stated = incoming.line.instrument.multiplier
    if known_before is None and stated is not None and stated != instrument.multiplier:
        instrument.multiplier = stated
        instrument.save(update_fields=["multiplier"])
    return instrument


def _strategies_of_orders(account: Account, fills: Sequence[IncomingFill]) -> dict[tuple[int, str], Strategy]:
    """Return the strategies that earlier lines of the same orders have: an order is not shared by two."""
    orders = {each.fill.order_id for each in fills if each.fill.order_id is not None}
    rows = BrokerFill.objects.filter(account=account, order_id__in=orders).select_related("strategy")
    return {(row.instrument_id, row.order_id or ""): row.strategy for row in rows.order_by("-pk")}
