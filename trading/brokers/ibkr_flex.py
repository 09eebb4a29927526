"""Interactive Brokers' Flex query as XML: executions, settlements of options, positions, cash and corporate actions.

The same trade may stand in it as EXECUTION, ORDER, LOT and CLOSED_LOT: only executions become fills. An option's
expiry, exercise or assignment stands among the trades as a booking at price 0 and again as OptionEAE: where both are
there the second is ignored, where it stands alone it is proposed as an action. Clock times are the account's, and the
file does not say in which zone: the statement's zone is "" unless the times name it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from xml.etree.ElementTree import Element

from trading.brokers.cells import PlacedCell, identifier, number, number_or_none, required_text, text
from trading.brokers.document import Document
from trading.brokers.ibkr import (
    CONVERSIONS,
    ExecutionCells,
    action_of,
    codes_of,
    commission_of,
    contract_symbol,
    fill_of,
    instant,
)
from trading.brokers.reading import RefusedRow, rejected
from trading.brokers.values import (
    ActionLine,
    BillLine,
    Broker,
    FillKind,
    FillLine,
    InstrumentName,
    Place,
    PositionLine,
    Remark,
    Statement,
)
from trading.brokers.zones import with_zone
from trading.errors import InvalidValue, UnknownLayout

BROKER = Broker.IBKR
KIND = "flex"
NAME = "Interactive Brokers Flex query (XML)"
ROOT = "FlexQueryResponse"

_EXECUTION = "EXECUTION"
# Other tellings of trades that stand in the file as executions.
_TELLINGS = ("Lot", "Order", "SymbolSummary", "AssetSummary", "WashSale")


@dataclass(frozen=True, slots=True)
class FlexRow:
    """One element with its attributes as cells, at its number within its section."""

    element: Element
    place: Place

    def __getitem__(self, name: str) -> PlacedCell:
        return PlacedCell(self.element.get(name), name, self.place)

    @property
    def level(self) -> str:
        """The level of detail; older queries write none for executions."""
        return self.element.get("levelOfDetail", "") or _EXECUTION


@dataclass(slots=True)
class FlexLines:
    """What was read so far of a file."""

    fills: list[FillLine] = field(default_factory=list)
    bills: list[BillLine] = field(default_factory=list)
    positions: list[PositionLine] = field(default_factory=list)
    actions: list[ActionLine] = field(default_factory=list)
    ignored: list[Remark] = field(default_factory=list)
    rejected: list[Remark] = field(default_factory=list)
    zones: set[str] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        """Say whether nothing came of the rows."""
        return not (self.fills or self.bills or self.positions or self.actions or self.rejected)

    def ignore(self, place: Place, reason: str, sentence: str = "") -> None:
        """Keep why a row was left out."""
        self.ignored.append(Remark(place, reason, sentence))


def matches(head: Document) -> bool:
    """Say whether a file is a Flex query's answer."""
    return head.tree is not None and head.tree.tag == ROOT


def read(document: Document) -> Statement:
    """Return what a Flex query's answer says.

    Raises:
        UnknownLayout: it holds no statement, no trades at all, or orders without executions.
        InvalidValue: it holds the statements of several accounts.
    """
    sections = list(document.tree.iter("FlexStatement")) if document.tree is not None else []
    if not sections:
        raise UnknownLayout(f"{document.name} holds no FlexStatement.", hint="Run the Flex query anew, as XML.")
    account = _account(document, sections)
    lines, rows = FlexLines(), list(_rows(document, sections))
    # Trades first: an OptionEAE is ignored where a trade tells the same.
    for row in sorted(rows, key=lambda each: each.element.tag != "Trade"):
        try:
            _READERS.get(row.element.tag, _other)(row, lines)
        except InvalidValue as error:
            lines.rejected.append(rejected(row.place, error))
    _check_completeness(document, sections, rows, lines)
    days = list(_period(document, sections))
    statement = Statement(
        document.name,
        document.sha256,
        BROKER,
        KIND,
        zone="",
        rows_read=len(rows),
        first_day=min(days),
        last_day=max(days),
        client=account,
        fills=tuple(lines.fills),
        bills=tuple(lines.bills),
        positions=tuple(lines.positions),
        actions=tuple(lines.actions),
        ignored=tuple(lines.ignored),
        rejected=tuple(lines.rejected),
        is_empty=lines.is_empty,
    )
    zone = "".join(lines.zones)
    return with_zone(statement, zone) if zone else statement


def _account(document: Document, sections: list[Element]) -> str:
    accounts = sorted({each.get("accountId", "") for section in sections for each in section.iter()} - {"", "-"})
    if len(accounts) != 1:
        raise InvalidValue(
            f"{document.name} holds the statements of {len(accounts)} accounts.",
            field="account",
            hint="Run the query for one account at a time.",
        )
    return accounts[0]


def _check_completeness(document: Document, sections: list[Element], rows: list[FlexRow], lines: FlexLines) -> None:
    """Refuse a file that yields nothing although it is of trades, or of no trades at all."""
    if len(lines.zones) > 1:
        raise UnknownLayout(
            f"{document.name} has times with a zone and without.", hint="Choose one time format in the query."
        )
    if not lines.is_empty:
        return
    if any(row.element.tag in ("Trade", *_TELLINGS) and not _is_conversion(row) for row in rows):
        raise UnknownLayout(
            f"{document.name} holds orders or lots and no executions.",
            hint="Tick 'Executions' in the query's Trades section and run it anew.",
        )
    if not any(section.find("Trades") is not None for section in sections):
        raise UnknownLayout(
            f"{document.name} has no Trades section.", hint="Add the section to the query and run it anew."
        )


def _period(document: Document, sections: list[Element]) -> Iterator[date]:
    for count, section in enumerate(sections, 1):
        place = Place(document.name, section.tag, count)
        yield from (instant(PlacedCell(section.get(name), name, place)).day for name in ("fromDate", "toDate"))


def _rows(document: Document, sections: list[Element]) -> Iterator[FlexRow]:
    """Yield each element that holds no others and has attributes, numbered within its section."""
    for section in chain.from_iterable(sections):
        leaves = [each for each in section.iter() if not len(each) and each.attrib]
        for count, element in enumerate(leaves, 1):
            yield FlexRow(element, Place(document.name, section.tag, count))


def _name(row: FlexRow) -> InstrumentName:
    """Return how a row names its instrument; the venue of an execution is not where a contract is listed."""
    listing = text(row["listingExchange"])
    isin = text(row["isin"]) or (text(row["securityID"]) if text(row["securityIDType"]) == "ISIN" else "")
    return InstrumentName(
        exchange=listing or None,
        symbol=contract_symbol(required_text(row["symbol"])),
        isin=isin or None,
        company=text(row["description"]) or None,
        code=identifier(row["conid"]),
        multiplier=number_or_none(row["multiplier"]) or None,
    )


def _is_conversion(row: FlexRow) -> bool:
    return row.element.tag in ("Trade", "Order") and row.element.get("assetCategory") in CONVERSIONS


def _trade(row: FlexRow, lines: FlexLines) -> None:
    """Take an execution as a fill. Its id is the trade's: queries that leave it out get the execution's."""
    if row.level != _EXECUTION:
        lines.ignore(row.place, "not_an_execution", f"Level of detail {row.level}: its executions stand apart.")
        return
    if _is_conversion(row):
        lines.ignore(row.place, "currency_conversion", f"{text(row['symbol'])}: money changed, and no instrument.")
        return
    if text(row["transactionType"]) in ("TradeCancel", "TradeCorrect"):
        raise RefusedRow("cancelled", "The broker cancelled or corrected a trade: settle it by hand.")
    stamp = row["dateTime"] if text(row["dateTime"]) else _joined(row, "tradeDate", "tradeTime")
    when = instant(stamp)
    if when.clock is not None:
        lines.zones.add(when.zone)
    currency = text(row["ibCommissionCurrency"])
    is_foreign = bool(currency) and currency != text(row["currency"]) and bool(number_or_none(row["ibCommission"]))
    cells = ExecutionCells(
        row.place,
        text(row["assetCategory"]),
        row["currency"],
        row["buySell"],
        row["quantity"],
        row["tradePrice"],
        row["proceeds"],
        codes_of(row["notes"]),
    )
    order = identifier(row["ibOrderID"])
    fill = fill_of(
        cells,
        _name(row),
        when,
        trading_day=instant(row["tradeDate"]).day if text(row["tradeDate"]) else None,
        charges={} if is_foreign else commission_of(row["ibCommission"], row["taxes"]),
        fill_id=identifier(row["tradeID"]) or identifier(row["ibExecID"]) or identifier(row["transactionID"]),
        order_id=None if order == "0" else order,
        tag=text(row["orderReference"]) or None,
    )
    lines.fills.append(fill)
    if is_foreign:
        lines.ignore(
            row.place,
            "commission_currency",
            f"The fill is taken; its commission of {text(row['ibCommission'])} {currency} is to be stated by hand.",
        )


def _joined(row: FlexRow, day: str, clock: str) -> PlacedCell:
    return PlacedCell(";".join(filter(None, (text(row[day]), text(row[clock])))), day, row.place)


def _option_event(row: FlexRow, lines: FlexLines) -> None:
    """Propose an expiry, exercise or assignment, unless a settlement of the same contract stands among the trades."""
    name = _name(row)
    quantity = number(row["quantity"])
    if any(
        fill.kind is not FillKind.TRADE and fill.instrument.symbol == name.symbol and fill.instrument.code == name.code
        for fill in lines.fills
    ):
        lines.ignore(row.place, "same_as_trade", "It stands among the trades.")
        return
    kind = text(row["transactionType"]) or "Settlement"
    lines.actions.append(
        ActionLine(
            row.place,
            name,
            instant(row["date"]).day,
            "settlement",
            f"{kind} of {quantity} {text(row['description'])} at {text(row['tradePrice'])}",
            quantity=quantity,
        )
    )


def _position(row: FlexRow, lines: FlexLines) -> None:
    if row.element.get("levelOfDetail", "SUMMARY") != "SUMMARY":
        lines.ignore(row.place, "lot", "A lot of a position that stands as a whole, too.")
        return
    day = instant(row["reportDate"]).day
    quantity = number(row["position"])
    side = text(row["side"])
    if side and side != ("Short" if quantity < 0 else "Long"):
        raise RefusedRow("side_conflict", f"The row says {side} and has the position {quantity}.")
    # A query without cost data writes 0, which is no price that anything was bought at.
    average = number_or_none(row["costBasisPrice"]) or None
    lines.positions.append(PositionLine(row.place, _name(row), day, day, quantity=quantity, average_price=average))


def _cash(row: FlexRow, lines: FlexLines) -> None:
    if row.element.get("levelOfDetail", "DETAIL") == "SUMMARY":
        lines.ignore(row.place, "summary", "A sum of cash transactions that stand one by one, too.")
        return
    kind, description = text(row["type"]), text(row["description"])
    lines.bills.append(
        BillLine(
            row.place,
            instant(row["dateTime"] if text(row["dateTime"]) else row["reportDate"]).day,
            f"{kind}: {description}" if kind else description,
            number(row["amount"]),
            voucher=identifier(row["transactionID"]),
            currency=required_text(row["currency"]),
        )
    )


def _corporate_action(row: FlexRow, lines: FlexLines) -> None:
    description = text(row["actionDescription"]) or text(row["description"])
    when = row["reportDate"] if text(row["reportDate"]) else row["dateTime"]
    lines.actions.append(
        action_of(row.place, _name(row), instant(when).day, description, number_or_none(row["quantity"]))
    )


def _other(row: FlexRow, lines: FlexLines) -> None:
    tag = row.element.tag
    if tag in _TELLINGS:
        lines.ignore(row.place, "not_an_execution", f"{tag}: the executions stand apart.")
    else:
        lines.ignore(row.place, "other_section", tag)


_READERS: dict[str, Callable[[FlexRow, FlexLines], None]] = {
    "Trade": _trade,
    "OptionEAE": _option_event,
    "OpenPosition": _position,
    "CashTransaction": _cash,
    "CorporateAction": _corporate_action,
}
