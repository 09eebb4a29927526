"""Rows of the fills that an import keeps: they are made here, and written with their row of the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from trading.bookkeeping import incoming_fills, journal, references
from trading.bookkeeping.contract_terms import GROUP_MAX
from trading.bookkeeping.incoming_fills import IncomingFill, Sorted
from trading.bookkeeping.tried_fills import OrderName
from trading.brokers.values import Remark
from trading.domain.chain import JournalEntry
from trading.domain.money import from_units
from trading.errors import VeloxError
from trading.models import Account, BrokerFile, BrokerFill, Instrument, JournalHead, Strategy
from trading.queries.instruments import find_instrument
from trading.rows import insert_many

FILL_COLUMNS = (
    *("id", "file_id", "exchange_id", "instrument_id", "strategy_id", "day", "broker_fill_id", "order_id", "kind"),
    *("side", "quantity", "price", "charges", "at", "place", "is_cash", "isin"),
)


def write_rows(account: Account, rows: Sequence[BrokerFill], head: JournalHead, *, by: str) -> None:
    """Write the rows of an account's new fills and what the journal says of them; of no row nothing."""
    if rows:
        insert_many(rows)
        body: JournalEntry = {"fills": [{name: getattr(row, name) for name in FILL_COLUMNS} for row in rows]}
        journal.append(account, "import_fills", body, now=rows[0].recorded_at, by=by, head=head)


InstrumentOf = Callable[[IncomingFill, Account], Instrument]


def kept_rows(file: BrokerFile, account: Account, fills: Sorted) -> list[BrokerFill]:
    """Return the rows of new fills; those that their instrument cannot have are moved to the refused ones."""
    now = datetime.now(UTC)
    by_name: dict[str, Strategy] = {}
    rows = []
    for each, instrument in checked_fills(account, fills, _instrument, strategies_of_orders(account, fills.new)):
        if each.strategy not in by_name:
            by_name[each.strategy] = references.strategy_of(each.strategy)
        fill = each.fill
        rows.append(
            BrokerFill(
                account_id=account.pk,
                file_id=file.pk,
                exchange_id=instrument.exchange_id,
                instrument_id=instrument.pk,
                strategy_id=by_name[each.strategy].pk,
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


def checked_fills(
    account: Account, fills: Sorted, instrument_of: InstrumentOf, strategies: Mapping[OrderName, str]
) -> list[tuple[IncomingFill, Instrument]]:
    """Return new fills as they are kept, each with its instrument and the strategy that its order has; those that
    their instrument cannot have are moved to the refused ones."""
    instruments: dict[str, Instrument] = {}
    checked = []
    for each in fills.new:
        try:
            if each.symbol not in instruments:
                instruments[each.symbol] = instrument_of(each, account)
            fill = incoming_fills.checked(each, instruments[each.symbol], account)
        except VeloxError as error:
            fills.refused.append(Remark(each.line.place, error.code, str(error)))
            continue
        instrument = instruments[each.symbol]
        strategy = strategies.get((instrument.exchange.code, instrument.symbol, fill.fill.order_id or ""))
        if strategy is not None and strategy != fill.strategy:
            fill = replace(fill, strategy=strategy)
        checked.append((fill, instrument))
    return checked


def _instrument(incoming: IncomingFill, account: Account) -> Instrument:
    """Return the instrument of a fill; one that is made here has the multiplier that the file tells, and its expiry
    where the symbol proves no day; a share that has no group yet gets the file's."""
    known_before = find_instrument(incoming.symbol)
    instrument = references.instrument_of(incoming.symbol, account)
    stated = incoming.line.instrument
    if known_before is None and stated.multiplier is not None and stated.multiplier != instrument.multiplier:
        instrument.multiplier = stated.multiplier
        instrument.save(update_fields=["multiplier"])
    if known_before is None and stated.expiry is not None and instrument.expiry is None:
        instrument.expiry = stated.expiry
        instrument.save(update_fields=["expiry"])
    group = stated.group
    if group and group.isascii() and group.isalnum() and len(group) <= GROUP_MAX and not instrument.share_group:
        instrument.share_group = group
        instrument.save(update_fields=["share_group"])
    return instrument


def strategies_of_orders(account: Account, fills: Sequence[IncomingFill]) -> dict[OrderName, str]:
    """Return the strategies that earlier lines of the same orders have: an order is not shared by two."""
    orders = {each.fill.order_id for each in fills if each.fill.order_id is not None}
    rows = BrokerFill.objects.filter(account=account, order_id__in=orders).order_by("-pk")
    names = ("instrument__exchange__code", "instrument__symbol", "order_id", "strategy__code")
    return {(exchange, symbol, order_id or ""): code for exchange, symbol, order_id, code in rows.values_list(*names)}
