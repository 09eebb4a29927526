"""The rows of an activity statement beside its trades: instruments, positions, cash, corporate actions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from trading.brokers.cells import number, number_or_none, required_text, text
from trading.brokers.ibkr import action_of, contract_symbol, instant
from trading.brokers.ibkr_sections import SectionLine
from trading.brokers.statement_draft import StatementDraft
from trading.brokers.values import BillLine, InstrumentName, PositionLine

CASH = ("Deposits & Withdrawals", "Fees", "Interest", "Dividends", "Withholding Tax", "Payment In Lieu Of Dividends")
_NAMED = re.compile(r"(?P<symbol>[^()]+)\((?P<isin>[A-Z]{2}[A-Z0-9]{10})\)")
_ISIN_LENGTH = 12


@dataclass(slots=True)
class ActivityDraft(StatementDraft):
    """What was read so far; ``names`` are the instruments by asset category and symbol, ``last_day`` the period's."""

    names: dict[tuple[str, str], InstrumentName] = field(default_factory=dict)
    last_day: date = date.max

    def name_of(self, line: SectionLine) -> InstrumentName:
        """Return the instrument of a row, as the statement describes it where it does."""
        category, symbol = text(line["Asset Category"]), required_text(line["Symbol"])
        return self.names.get((category, symbol)) or InstrumentName(symbol=contract_symbol(symbol))


def instruments(rows: list[SectionLine]) -> Iterator[tuple[tuple[str, str], InstrumentName]]:
    """Yield the instruments that the statement describes, by category and by each symbol that it had."""
    for line in rows:
        if line.section != "Financial Instrument Information" or line.kind != "Data":
            continue
        identity = text(line["Security ID"])
        for symbol in text(line["Symbol"]).split(", "):
            name = InstrumentName(
                exchange=text(line["Listing Exch"]) or None,
                symbol=contract_symbol(symbol),
                isin=identity if len(identity) == _ISIN_LENGTH else None,
                company=text(line["Description"]) or None,
                code=text(line["Conid"]) or None,
                multiplier=number_or_none(line["Multiplier"]),
            )
            yield (text(line["Asset Category"]), symbol), name


def read_cash(line: SectionLine, draft: ActivityDraft) -> None:
    """Take a line of cash; totals stand among them with `Total` for a currency."""
    currency = required_text(line["Currency"])
    if currency.startswith("Total"):
        draft.ignore(line.place, "total", line.section)
        return
    when = line["Date"] if text(line["Date"]) else line["Settle Date"]
    sentence = f"{line.section}: {text(line['Description'])}"
    draft.bills.append(BillLine(line.place, instant(when).day, sentence, number(line["Amount"]), currency=currency))


def read_position(line: SectionLine, draft: ActivityDraft) -> None:
    """Take a position at the end of the period."""
    if text(line["DataDiscriminator"]) != "Summary":
        draft.ignore(line.place, "lot", "A lot of a position that stands as a whole, too.")
        return
    quantity, average = number(line["Quantity"]), number_or_none(line["Cost Price"])
    last_day = draft.last_day
    draft.positions.append(
        PositionLine(line.place, draft.name_of(line), last_day, last_day, quantity=quantity, average_price=average)
    )


def read_action(line: SectionLine, draft: ActivityDraft) -> None:
    """Take a corporate action, whose instrument stands in its description alone."""
    if text(line["Asset Category"]).startswith("Total"):
        draft.ignore(line.place, "total", line.section)
        return
    description = text(line["Description"])
    match = _NAMED.match(description)
    name = InstrumentName(symbol=match["symbol"], isin=match["isin"]) if match else InstrumentName(company=description)
    when = line["Report Date"] if text(line["Report Date"]) else line["Date/Time"]
    draft.actions.append(action_of(line.place, name, instant(when).day, description, number_or_none(line["Quantity"])))
