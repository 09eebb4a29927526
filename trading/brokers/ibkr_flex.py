"""Interactive Brokers' Flex query as XML: executions, settlements of options, positions, cash and corporate actions.

The same trade may stand in it as EXECUTION, ORDER, LOT and CLOSED_LOT: only executions become fills. An option's
expiry, exercise or assignment stands among the trades as a booking at price 0 and again as OptionEAE: where both are
there the second is ignored, where it stands alone it is proposed as an action. Clock times are the account's, and the
file does not say in which zone: the statement's zone is "" unless the times name it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from itertools import chain
from xml.etree.ElementTree import Element

from trading.brokers.cells import PlacedCell
from trading.brokers.document import Document
from trading.brokers.ibkr import instant
from trading.brokers.ibkr_flex_rows import (
    TELLINGS,
    FlexDraft,
    FlexRow,
    cash,
    corporate_action,
    is_conversion,
    option_event,
    other,
    position,
    trade,
)
from trading.brokers.reading import rejected
from trading.brokers.values import Broker, Place, Statement
from trading.brokers.zones import with_zone
from trading.errors import InvalidValue, UnknownLayout

BROKER = Broker.IBKR
KIND = "flex"
NAME = "Interactive Brokers Flex query (XML)"
ROOT = "FlexQueryResponse"

_READERS: dict[str, Callable[[FlexRow, FlexDraft], None]] = {
    "Trade": trade,
    "OptionEAE": option_event,
    "OpenPosition": position,
    "CashTransaction": cash,
    "CorporateAction": corporate_action,
}


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
    draft, rows = FlexDraft(document), list(_rows(document, sections))
    draft.rows_read = len(rows)
    # Trades first: an OptionEAE is ignored where a trade tells the same.
    for row in sorted(rows, key=lambda each: each.element.tag != "Trade"):
        try:
            _READERS.get(row.element.tag, other)(row, draft)
        except InvalidValue as error:
            draft.rejected.append(rejected(row.place, error))
    _check_completeness(sections, rows, draft)
    days = list(_period(document, sections))
    statement = draft.statement(
        BROKER, KIND, days=(min(days), max(days)), client=account, is_empty=draft.is_empty, zone=""
    )
    zone = "".join(draft.zones)
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


def _check_completeness(sections: list[Element], rows: list[FlexRow], draft: FlexDraft) -> None:
    """Refuse a file that yields nothing although it is of trades, or of no trades at all."""
    if len(draft.zones) > 1:
        raise UnknownLayout(
            f"{draft.document.name} has times with a zone and without.", hint="Choose one time format in the query."
        )
    if not draft.is_empty:
        return
    if any(row.element.tag in ("Trade", *TELLINGS) and not is_conversion(row) for row in rows):
        raise UnknownLayout(
            f"{draft.document.name} holds orders or lots and no executions.",
            hint="Tick 'Executions' in the query's Trades section and run it anew.",
        )
    if not any(section.find("Trades") is not None for section in sections):
        raise UnknownLayout(
            f"{draft.document.name} has no Trades section.", hint="Add the section to the query and run it anew."
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
