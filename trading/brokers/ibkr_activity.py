"""Interactive Brokers' activity statement as CSV: executions, positions, cash and corporate actions, without ids.

An order stands there once, and once again as its executions where the statement shows them: the executions become
fills where they add up to the orders, the orders where there are none. Clock times are Eastern Time where the notes
say so; else the statement's zone is "" and must be stated.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from trading.brokers.cells import PlacedCell, UnreadableCell, day, number, number_or_none, required_text, text
from trading.brokers.document import Document
from trading.brokers.ibkr import (
    CONVERSIONS,
    NEW_YORK,
    ExecutionCells,
    action_of,
    codes_of,
    commission_of,
    contract_symbol,
    fill_of,
    instant,
)
from trading.brokers.ibkr_sections import SectionLine, fields_of, section_lines
from trading.brokers.reading import RefusedRow, rejected
from trading.brokers.values import (
    ActionLine,
    BillLine,
    Broker,
    FillLine,
    InstrumentName,
    PositionLine,
    Remark,
    Statement,
)
from trading.brokers.zones import with_zone
from trading.errors import InvalidValue, UnknownLayout

BROKER = Broker.IBKR
KIND = "activity"
NAME = "Interactive Brokers activity statement (CSV)"

_EASTERN = "execution times are displayed in Eastern Time"
_PERIOD_STYLE = "%B %d, %Y"
_CASH = ("Deposits & Withdrawals", "Fees", "Interest", "Dividends", "Withholding Tax", "Payment In Lieu Of Dividends")
_FIELDS = ("Statement", "Account Information", "Financial Instrument Information")
_TOTALS = {"Proceeds": "proceeds", "Comm/Fee": "commissions", "Realized P/L": "realised"}
_NAMED = re.compile(r"(?P<symbol>[^()]+)\((?P<isin>[A-Z]{2}[A-Z0-9]{10})\)")
_ROUNDING = Decimal("0.01")


@dataclass(slots=True)
class ActivityLines:
    """What was read so far; ``names`` are the instruments by asset category and symbol, ``last_day`` the period's."""

    names: dict[tuple[str, str], InstrumentName]
    last_day: date
    fills: list[FillLine] = field(default_factory=list)
    bills: list[BillLine] = field(default_factory=list)
    positions: list[PositionLine] = field(default_factory=list)
    actions: list[ActionLine] = field(default_factory=list)
    ignored: list[Remark] = field(default_factory=list)
    rejected: list[Remark] = field(default_factory=list)
    stated: dict[str, Decimal] = field(default_factory=dict)
    computed: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def ignore(self, line: SectionLine, reason: str, sentence: str = "") -> None:
        """Keep why a row was left out."""
        self.ignored.append(Remark(line.place, reason, sentence))


def matches(head: Document) -> bool:
    """Say whether a file begins as an activity statement does."""
    rows = head.sheets[0].rows if head.container == "csv" and head.sheets else ()
    return bool(rows) and [str(cell).strip() for cell in rows[0][:2]] == ["Statement", "Header"]


def read(document: Document) -> Statement:
    """Return what an activity statement says.

    Raises:
        UnknownLayout: another kind of statement, or one in another language than English.
        InvalidValue: it holds several accounts.
    """
    every = list(section_lines(document))
    rows = [line for line in every if not _is_overlong(line)]
    about = fields_of(rows, "Statement")
    if not about.get("Title", "").startswith("Activity"):
        raise UnknownLayout(
            f"{document.name} is no activity statement in English.",
            hint="Download the activity statement as CSV with the language set to English.",
        )
    first_day, last_day = _period(document, about.get("Period", ""))
    lines = ActivityLines(dict(_instruments(rows)), last_day)
    lines.rejected += [
        Remark(line.place, "unreadable_cell", "The row has more cells than its header.")
        for line in every
        if _is_overlong(line)
    ]
    _read_trades([line for line in rows if line.section == "Trades"], lines)
    for line in rows:
        try:
            _read_line(line, lines)
        except InvalidValue as error:
            lines.rejected.append(rejected(line.place, error))
    statement = Statement(
        document.name,
        document.sha256,
        BROKER,
        KIND,
        zone="",
        rows_read=len(every),
        first_day=first_day,
        last_day=last_day,
        client=_account(document, rows),
        fills=tuple(lines.fills),
        bills=tuple(lines.bills),
        positions=tuple(lines.positions),
        actions=tuple(lines.actions),
        ignored=tuple(lines.ignored),
        rejected=tuple(lines.rejected),
        stated=lines.stated,
        computed={name: lines.computed[name] for name in lines.stated},
        rounding=dict.fromkeys(lines.stated, _ROUNDING),
        is_empty=not (lines.fills or lines.bills or lines.positions or lines.actions or lines.rejected),
    )
    return with_zone(statement, NEW_YORK) if _is_eastern(rows) else statement


def _is_overlong(line: SectionLine) -> bool:
    """Say whether no cell of a row is to be trusted; rows of sections that nobody reads may be as long as they like."""
    return line.cells.is_overlong and line.section in (
        "Trades",
        "Open Positions",
        "Corporate Actions",
        *_CASH,
        *_FIELDS,
    )


def _is_eastern(rows: list[SectionLine]) -> bool:
    notes = (line for line in rows if line.section.startswith("Notes"))
    return any(_EASTERN in str(cell) for line in notes for cell in line.cells.cells)


def _period(document: Document, period: str) -> tuple[date, date]:
    """Return the days of `January 1, 2026 - January 31, 2026`, or of one day."""
    try:
        days = [
            day(PlacedCell(each, "Period", next(section_lines(document)).place), _PERIOD_STYLE)
            for each in period.split(" - ")
        ]
    except UnreadableCell:
        raise UnknownLayout(
            f"The period {period!r} of {document.name} cannot be read.", hint="Set the statement's language to English."
        ) from None
    return days[0], days[-1]


def _account(document: Document, rows: list[SectionLine]) -> str | None:
    """Return the account's number; None where the statement hides it (U***1234)."""
    accounts = {text(line["Account"]) for line in rows if line.section == "Trades" and line.kind == "Data"} - {""}
    if len(accounts) > 1:
        raise InvalidValue(
            f"{document.name} holds the trades of {len(accounts)} accounts.",
            field="account",
            hint="Download the statement of one account at a time.",
        )
    account = fields_of(rows, "Account Information").get("Account", "").partition(" ")[0] or "".join(accounts)
    return account if account and "*" not in account else None


def _instruments(rows: list[SectionLine]) -> Iterator[tuple[tuple[str, str], InstrumentName]]:
    """Yield the instruments that the statement describes, by category and by each symbol that it had."""
    for line in rows:
        if line.section != "Financial Instrument Information" or line.kind != "Data":
            continue
        identity = text(line["Security ID"])
        for symbol in text(line["Symbol"]).split(", "):
            yield (
                (text(line["Asset Category"]), symbol),
                InstrumentName(
                    exchange=text(line["Listing Exch"]) or None,
                    symbol=contract_symbol(symbol),
                    isin=identity if len(identity) == 12 else None,
                    company=text(line["Description"]) or None,
                    code=text(line["Conid"]) or None,
                    multiplier=number_or_none(line["Multiplier"]),
                ),
            )


def _named(line: SectionLine, lines: ActivityLines) -> InstrumentName:
    category, symbol = text(line["Asset Category"]), required_text(line["Symbol"])
    described = lines.names.get((category, symbol))
    return described or InstrumentName(symbol=contract_symbol(symbol))


def _read_trades(rows: list[SectionLine], lines: ActivityLines) -> None:
    """Take the executions, or the orders of those contracts of which no executions stand there."""
    contracts: dict[tuple[str, str, str], list[SectionLine]] = defaultdict(list)
    for line in rows:
        if line.kind == "Data":
            contracts[text(line["Asset Category"]), text(line["Currency"]), text(line["Symbol"])].append(line)
        elif line.kind == "Total":
            _state_totals(line, lines)
        else:
            lines.ignore(line, "subtotal")
    for (category, currency, symbol), group in contracts.items():
        if category in CONVERSIONS:
            for line in group:
                lines.ignore(line, "currency_conversion", f"{symbol}: money changed, and no instrument.")
            continue
        try:
            booked = list(_executions(group, lines))
        except InvalidValue as error:
            lines.rejected += [rejected(line.place, error) for line in group]
            continue
        for line in booked:
            _read_trade(line, lines, f"{category} {currency}")


def _executions(group: list[SectionLine], lines: ActivityLines) -> Iterator[SectionLine]:
    """Yield the rows of one contract that are to be booked; those that tell the same again are ignored."""
    levels: dict[str, list[SectionLine]] = defaultdict(list)
    for line in group:
        levels[text(line["DataDiscriminator"])].append(line)
    trades, orders = levels.pop("Trade", []), levels.pop("Order", [])
    if trades and orders and _turnover(trades) != _turnover(orders):
        raise RefusedRow("order_conflict", "The executions of this contract do not add up to its orders.")
    for line in orders if trades else ():
        lines.ignore(line, "not_an_execution", "An order, whose executions stand apart.")
    for level, rest in levels.items():
        for line in rest:
            lines.ignore(line, "not_an_execution", f"A row of the kind {level}.")
    yield from trades or orders


def _turnover(rows: list[SectionLine]) -> tuple[Decimal, Decimal]:
    """Return the quantities bought and sold."""
    quantities = [number(line["Quantity"]) for line in rows]
    return sum((q for q in quantities if q > 0), Decimal(0)), sum((q for q in quantities if q < 0), Decimal(0))


def _read_trade(line: SectionLine, lines: ActivityLines, total: str) -> None:
    try:
        for column, title in _TOTALS.items():
            lines.computed[f"{total} {title}"] += number_or_none(line[column]) or Decimal(0)
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
        fill = fill_of(cells, _named(line, lines), instant(line["Date/Time"]), charges=commission_of(line["Comm/Fee"]))
        lines.fills.append(fill)
    except InvalidValue as error:
        lines.rejected.append(rejected(line.place, error))


def _state_totals(line: SectionLine, lines: ActivityLines) -> None:
    category, currency = text(line["Asset Category"]), text(line["Currency"])
    if category in CONVERSIONS or len(currency) != 3:
        lines.ignore(line, "total", "A total over currencies, or of conversions.")
        return
    for column, title in _TOTALS.items():
        total = number_or_none(line[column])
        if total is not None:
            lines.stated[f"{category} {currency} {title}"] = total


def _read_line(line: SectionLine, lines: ActivityLines) -> None:
    """Take a row of any other section."""
    if line.section in ("Trades", *_FIELDS):
        return
    if line.kind != "Data":
        lines.ignore(line, "total" if "Total" in line.kind else "other_section", line.section)
    elif line.section in _CASH:
        _read_cash(line, lines)
    elif line.section == "Open Positions":
        _read_position(line, lines)
    elif line.section == "Corporate Actions":
        _read_action(line, lines)
    else:
        lines.ignore(line, "other_section", line.section)


def _read_cash(line: SectionLine, lines: ActivityLines) -> None:
    """Take a line of cash; totals stand among them with `Total` for a currency."""
    currency = required_text(line["Currency"])
    if currency.startswith("Total"):
        lines.ignore(line, "total", line.section)
        return
    when = line["Date"] if text(line["Date"]) else line["Settle Date"]
    sentence = f"{line.section}: {text(line['Description'])}"
    lines.bills.append(BillLine(line.place, instant(when).day, sentence, number(line["Amount"]), currency=currency))


def _read_position(line: SectionLine, lines: ActivityLines) -> None:
    if text(line["DataDiscriminator"]) != "Summary":
        lines.ignore(line, "lot", "A lot of a position that stands as a whole, too.")
        return
    lines.positions.append(
        PositionLine(
            line.place,
            _named(line, lines),
            lines.last_day,
            lines.last_day,
            quantity=number(line["Quantity"]),
            average_price=number_or_none(line["Cost Price"]),
        )
    )


def _read_action(line: SectionLine, lines: ActivityLines) -> None:
    if text(line["Asset Category"]).startswith("Total"):
        lines.ignore(line, "total", line.section)
        return
    description = text(line["Description"])
    match = _NAMED.match(description)
    name = InstrumentName(symbol=match["symbol"], isin=match["isin"]) if match else InstrumentName(company=description)
    when = line["Report Date"] if text(line["Report Date"]) else line["Date/Time"]
    lines.actions.append(action_of(line.place, name, instant(when).day, description, number_or_none(line["Quantity"])))
