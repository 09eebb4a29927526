"""Interactive Brokers' activity statement as CSV: executions, positions, cash and corporate actions, without ids.

An order stands there once, and once again as its executions where the statement shows them: the executions become
fills where they add up to the orders, the orders where there are none, until a file has their fills. Clock times are
Eastern Time where the notes say so; else the statement's zone is "" and must be stated.
"""

from __future__ import annotations

from datetime import date

from trading.brokers.cells import PlacedCell, UnreadableCell, day, text
from trading.brokers.document import Document
from trading.brokers.ibkr import NEW_YORK
from trading.brokers.ibkr_activity_rows import CASH, ActivityDraft, instruments, read_action, read_cash, read_position
from trading.brokers.ibkr_activity_trades import read_trades
from trading.brokers.ibkr_sections import SectionLine, fields_of, section_lines
from trading.brokers.reading import rejected
from trading.brokers.values import Broker, Remark, Statement
from trading.brokers.zones import with_zone
from trading.errors import InvalidValue, UnknownLayout

BROKER = Broker.IBKR
KIND = "activity"
NAME = "Interactive Brokers activity statement (CSV)"

_EASTERN = "execution times are displayed in Eastern Time"
_PERIOD_STYLE = "%B %d, %Y"
_FIELDS = ("Statement", "Account Information", "Financial Instrument Information")
_READERS = {**dict.fromkeys(CASH, read_cash), "Open Positions": read_position, "Corporate Actions": read_action}


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
    # No cell of a row that is longer than its header is to be trusted; in sections that nobody reads it may be.
    overlong = [line for line in every if line.cells.is_overlong and line.section in ("Trades", *_FIELDS, *_READERS)]
    places = {line.place for line in overlong}
    rows = [line for line in every if line.place not in places]
    about = fields_of(rows, "Statement")
    if not about.get("Title", "").startswith("Activity"):
        raise UnknownLayout(
            f"{document.name} is no activity statement in English.",
            hint="Download the activity statement as CSV with the language set to English.",
        )
    days = _period(document, about.get("Period", ""))
    draft = ActivityDraft(document, names=dict(instruments(rows)), last_day=days[1])
    draft.rows_read = len(every)
    draft.rejected += [Remark(line.place, "unreadable_cell", "The row is longer than its header.") for line in overlong]
    read_trades([line for line in rows if line.section == "Trades"], draft)
    for line in rows:
        if line.section not in ("Trades", *_FIELDS):
            _read_line(line, draft)
    statement = draft.statement(
        BROKER, KIND, days=days, client=_account(document, rows), is_empty=draft.is_empty, zone=""
    )
    notes = (line for line in rows if line.section.startswith("Notes"))
    is_eastern = any(_EASTERN in str(cell) for line in notes for cell in line.cells.cells)
    return with_zone(statement, NEW_YORK) if is_eastern else statement


def _read_line(line: SectionLine, draft: ActivityDraft) -> None:
    reader = _READERS.get(line.section)
    if line.kind != "Data" or reader is None:
        draft.ignore(line.place, "total" if "Total" in line.kind else "other_section", line.section)
        return
    try:
        reader(line, draft)
    except InvalidValue as error:
        draft.rejected.append(rejected(line.place, error))


def _period(document: Document, period: str) -> tuple[date, date]:
    """Return the days of `January 1, 2026 - January 31, 2026`, or of one day."""
    place = next(section_lines(document)).place
    try:
        days = [day(PlacedCell(each, "Period", place), _PERIOD_STYLE) for each in period.split(" - ")]
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
