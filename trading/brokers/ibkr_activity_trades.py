"""The trades of an activity statement: executions or orders of each contract, and the totals of their money."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from trading.brokers.cells import number, number_or_none, text
from trading.brokers.ibkr import CONVERSIONS, ExecutionCells, codes_of, commission_of, fill_of, instant, is_left_empty
from trading.brokers.ibkr_activity_rows import ActivityDraft
from trading.brokers.ibkr_sections import SectionLine
from trading.brokers.reading import RefusedRow, rejected
from trading.brokers.values import FillKind
from trading.errors import InvalidValue

_TOTALS = {"Proceeds": "proceeds", "Comm/Fee": "commissions", "Realized P/L": "realised"}
_ORDER = "Order"
_CURRENCY_LENGTH = 3
_CENT = Decimal("0.01")  # rows are rounded at the 8th decimal, some totals at the 2nd


def read_trades(rows: list[SectionLine], draft: ActivityDraft) -> None:
    """Take the executions, or the orders of those contracts of which no executions stand there."""
    contracts: dict[tuple[str, str, str], list[SectionLine]] = defaultdict(list)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in rows:
        if line.kind == "Data":
            contracts[text(line["Asset Category"]), text(line["Currency"]), text(line["Symbol"])].append(line)
        elif line.kind == "Total":
            _state_totals(line, draft)
        else:
            draft.ignore(line.place, "subtotal", "The sum of a contract's trades.")
    for (category, currency, symbol), group in contracts.items():
        if category in CONVERSIONS:
            for line in group:
                draft.ignore(line.place, "currency_conversion", f"{symbol}: money changed, and no instrument.")
            continue
        try:
            booked = list(_executions(group, draft))
        except InvalidValue as error:
            draft.rejected += [rejected(line.place, error) for line in group]
            continue
        for line in booked:
            _read_trade(line, draft, f"{category} {currency}", sums)
    for name in draft.stated:
        draft.compare(name, sums[name], _CENT)


def _executions(group: list[SectionLine], draft: ActivityDraft) -> Iterator[SectionLine]:
    """Yield the rows of one contract that are to be booked; those that tell the same again are ignored."""
    levels: dict[str, list[SectionLine]] = defaultdict(list)
    for line in group:
        levels[text(line["DataDiscriminator"])].append(line)
    trades, orders = levels.pop("Trade", []), levels.pop(_ORDER, [])
    if trades and orders and _turnover(trades) != _turnover(orders):
        raise RefusedRow("order_conflict", "The executions of this contract do not add up to its orders.")
    for line in orders if trades else ():
        draft.ignore(line.place, "not_an_execution", "An order, whose executions stand apart.")
    for level, rest in levels.items():
        for line in rest:
            draft.ignore(line.place, "not_an_execution", f"A row of the kind {level}.")
    yield from trades or orders


def _turnover(rows: list[SectionLine]) -> tuple[Decimal, Decimal]:
    """Return the quantities bought and sold."""
    quantities = [number(line["Quantity"]) for line in rows]
    return sum((each for each in quantities if each > 0), Decimal(0)), sum(
        (each for each in quantities if each < 0), Decimal(0)
    )


def _read_trade(line: SectionLine, draft: ActivityDraft, total: str, sums: dict[str, Decimal]) -> None:
    try:
        for column, title in _TOTALS.items():
            sums[f"{total} {title}"] += number_or_none(line[column]) or Decimal(0)
        cells = ExecutionCells(
            line.place,
            text(line["Asset Category"]),
            line["Currency"],
            line["Buy/Sell"],
            line["Quantity"],
            line["T. Price"],
            line["Proceeds"],
            codes_of(line["Code"]),
        )
        commission = line["Comm/Fee"]
        fill = fill_of(cells, draft.name_of(line), instant(line["Date/Time"]), commission_of(commission))
        is_order = fill.kind is FillKind.TRADE and text(line["DataDiscriminator"]) == _ORDER
        kind = FillKind.ORDER if is_order else fill.kind
        draft.fills.append(replace(fill, kind=kind, is_uncharged=is_left_empty(commission)))
    except InvalidValue as error:
        draft.rejected.append(rejected(line.place, error))


def _state_totals(line: SectionLine, draft: ActivityDraft) -> None:
    category, currency = text(line["Asset Category"]), text(line["Currency"])
    if category in CONVERSIONS or len(currency) != _CURRENCY_LENGTH:
        draft.ignore(line.place, "total", "A total over currencies, or of conversions.")
        return
    for column, title in _TOTALS.items():
        total = number_or_none(line[column])
        if total is not None:
            draft.stated[f"{category} {currency} {title}"] = total
