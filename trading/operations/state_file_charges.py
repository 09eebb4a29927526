"""Recording the charges that a broker's file states, and sharing those of its days among the fills booked since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from trading.brokers.values import ChargeLine, Statement
from trading.domain.stated_charges import ChargeSource, ChargeStatement
from trading.operations.spread_charges import spread_charges
from trading.operations.state_charges import state_charges
from trading.queries.imported_trades import IMPORTER, days_of_charges

SHARED = "Charges stated by an earlier file: shared among all fills of their days."


def state_file_charges(account_code: str, statement: Statement) -> int:
    """Record the day's and period's charges of a file and bring them to the trades; return how many lines were new.

    What a row states of its own fill is that fill's already, and is not recorded here.

    Raises: InvalidValue, UnknownAccount, LedgerBusy, LedgerNotReady.
    """
    count = 0
    for source in (ChargeSource.NOTE, ChargeSource.FILE):
        lines = _lines(statement, source)
        if lines:
            text = f"{statement.broker.value} {statement.kind}"
            kept = state_charges(account_code, lines, by=IMPORTER, text=text, document=statement.sha256)
            count += kept.lines
    days = days_of_charges(account_code, [fill.day for fill in statement.fills])
    if days is not None:
        spread_charges(account_code, *days, by=IMPORTER, reason=SHARED)
    return count


def _lines(statement: Statement, source: ChargeSource) -> list[ChargeStatement]:
    """Return one line for each head of the same days, segment and exchange; the rows of instruments are added up where
    the file has no line of all of them."""
    rows: defaultdict[tuple[str, ...], list[ChargeLine]] = defaultdict(list)
    for line in statement.charges:
        if line.on_note == (source == ChargeSource.NOTE):
            key = (line.day.isoformat(), line.last_day.isoformat(), line.head, line.segment or "", line.exchange or "")
            rows[key].append(line)
    return [
        ChargeStatement(
            day=group[0].day,
            last_day=group[0].last_day,
            segment=group[0].segment.value if group[0].segment else "",
            exchange=group[0].exchange or "",
            head=group[0].head,
            amount=_sum(group),
            source=source,
        )
        for group in rows.values()
    ]


def _sum(lines: Iterable[ChargeLine]) -> Decimal:
    group = list(lines)
    whole = [line for line in group if line.instrument is None]
    return sum((line.amount for line in whole or group), Decimal(0))
