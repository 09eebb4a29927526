"""The rows of a Flex query's answer: what each element becomes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from xml.etree.ElementTree import Element

from trading.brokers.cells import PlacedCell, identifier, number, number_or_none, required_text, text
from trading.brokers.ibkr import (
    CONVERSIONS,
    ExecutionCells,
    action_of,
    codes_of,
    commission_of,
    contract_symbol,
    fill_of,
    instant,
    is_left_empty,
)
from trading.brokers.reading import RefusedRow
from trading.brokers.statement_draft import StatementDraft
from trading.brokers.values import ActionLine, BillLine, FillKind, Head, InstrumentName, Place, PositionLine

EXECUTION = "EXECUTION"
# Other tellings of trades that stand in the file as executions.
TELLINGS = ("Lot", "Order", "SymbolSummary", "AssetSummary", "WashSale")


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
        return self.element.get("levelOfDetail", "") or EXECUTION


@dataclass(slots=True)
class FlexDraft(StatementDraft):
    """What was read so far of an answer, the zones that its times name ("" where one names none), and symbol and code
    of contracts whose settlement stands among the trades."""

    zones: set[str] = field(default_factory=set)
    settled: set[tuple[str | None, str | None]] = field(default_factory=set)


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


def is_conversion(row: FlexRow) -> bool:
    """Say whether a row changes one currency for another."""
    return row.element.tag in ("Trade", "Order") and row.element.get("assetCategory") in CONVERSIONS


def trade(row: FlexRow, draft: FlexDraft) -> None:
    """Take an execution as a fill. Its id is the trade's: queries that leave it out get the execution's."""
    if row.level != EXECUTION:
        draft.ignore(row.place, "not_an_execution", f"Level of detail {row.level}: its executions stand apart.")
        return
    if is_conversion(row):
        draft.ignore(row.place, "currency_conversion", f"{text(row['symbol'])}: money changed, and no instrument.")
        return
    if text(row["transactionType"]) in ("TradeCancel", "TradeCorrect"):
        raise RefusedRow("cancelled", "The broker cancelled or corrected a trade: settle it by hand.")
    when = instant(
        row["dateTime"]
        if text(row["dateTime"])
        else PlacedCell(
            ";".join(filter(None, (text(row["tradeDate"]), text(row["tradeTime"])))), "tradeDate", row.place
        )
    )
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
    fill = replace(
        fill_of(cells, _name(row), when, _charges(row, draft)),
        day=instant(row["tradeDate"]).day if text(row["tradeDate"]) else when.day,
        fill_id=identifier(row["tradeID"]) or identifier(row["ibExecID"]) or identifier(row["transactionID"]),
        order_id=None if order == "0" else order,
        tag=text(row["orderReference"]) or None,
        is_uncharged=is_left_empty(row["ibCommission"]),
    )
    draft.fills.append(fill)
    if fill.kind is not FillKind.TRADE:
        draft.settled.add((fill.instrument.symbol, fill.instrument.code))
    if when.clock is not None:
        draft.zones.add(when.zone)


def _charges(row: FlexRow, draft: FlexDraft) -> dict[Head, Decimal]:
    """Return the charges of a trade; a commission in another currency than the trade's is none of the fill's."""
    currency = text(row["ibCommissionCurrency"])
    if not currency or currency == text(row["currency"]) or not number_or_none(row["ibCommission"]):
        return commission_of(row["ibCommission"], row["taxes"])
    sentence = f"The commission of {text(row['ibCommission'])} {currency} is to be stated by hand."
    draft.ignore(row.place, "commission_currency", sentence)
    return {}


def option_event(row: FlexRow, draft: FlexDraft) -> None:
    """Propose an expiry, exercise or assignment, unless a settlement of the same contract stands among the trades."""
    name = _name(row)
    quantity = number(row["quantity"])
    if (name.symbol, name.code) in draft.settled:
        draft.ignore(row.place, "same_as_trade", "It stands among the trades.")
        return
    kind = text(row["transactionType"]) or "Settlement"
    draft.actions.append(
        ActionLine(
            row.place,
            name,
            instant(row["date"]).day,
            "settlement",
            f"{kind} of {quantity} {text(row['description'])} at {text(row['tradePrice'])}",
            quantity=quantity,
        )
    )


def position(row: FlexRow, draft: FlexDraft) -> None:
    if row.element.get("levelOfDetail", "SUMMARY") != "SUMMARY":
        draft.ignore(row.place, "lot", "A lot of a position that stands as a whole, too.")
        return
    day = instant(row["reportDate"]).day
    quantity = number(row["position"])
    side = text(row["side"])
    if side and side != ("Short" if quantity < 0 else "Long"):
        raise RefusedRow("side_conflict", f"The row says {side} and has the position {quantity}.")
    # A query without cost data writes 0, which is no price that anything was bought at.
    average = number_or_none(row["costBasisPrice"]) or None
    draft.positions.append(PositionLine(row.place, _name(row), day, day, quantity=quantity, average_price=average))


def cash(row: FlexRow, draft: FlexDraft) -> None:
    if row.element.get("levelOfDetail", "DETAIL") == "SUMMARY":
        draft.ignore(row.place, "summary", "A sum of cash transactions that stand one by one, too.")
        return
    kind, description = text(row["type"]), text(row["description"])
    draft.bills.append(
        BillLine(
            row.place,
            instant(row["dateTime"] if text(row["dateTime"]) else row["reportDate"]).day,
            f"{kind}: {description}" if kind else description,
            number(row["amount"]),
            voucher=identifier(row["transactionID"]),
            currency=required_text(row["currency"]),
        )
    )


def corporate_action(row: FlexRow, draft: FlexDraft) -> None:
    description = text(row["actionDescription"]) or text(row["description"])
    when = row["reportDate"] if text(row["reportDate"]) else row["dateTime"]
    draft.actions.append(
        action_of(row.place, _name(row), instant(when).day, description, number_or_none(row["quantity"]))
    )


def other(row: FlexRow, draft: FlexDraft) -> None:
    tag = row.element.tag
    if tag in TELLINGS:
        draft.ignore(row.place, "not_an_execution", f"{tag}: the executions stand apart.")
    else:
        draft.ignore(row.place, "other_section", tag)
