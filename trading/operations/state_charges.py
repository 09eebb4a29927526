"""Recording charges that a contract note, a file or a person states, and bringing them to the trades."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from trading.bookkeeping import charging, correcting, journal, stating
from trading.domain.stated_charges import ChargeStatement
from trading.transactions import writing


@dataclass(frozen=True, slots=True)
class ChargesKept:
    """How many lines were new, and how many trades changed by them."""

    lines: int
    trades: int


def state_charges(
    account_code: str,
    lines: Iterable[ChargeStatement],
    *,
    by: str,
    text: str,
    document: str = "",
    broker: str = "",
    in_place_of_all: bool = False,
) -> ChargesKept:
    """Record stated charges and set the `charges` of the trades of their days to what then is stated of them.

    Of each day, segment, market and head a document states one amount: add up its rows before. The lines of a note are
    all that it has: heads of earlier notes of those days and segments that a new one has not are 0 by it. ``document``
    is the SHA-256 of the file (hex) and ``broker`` whose it is, "" where a person states; ``text`` says where it
    stands, or why. An amount that the same document stated already changes nothing, unless it is to stand
    ``in_place_of_all`` that others of its source stated since; one that differs stands in its place. A head
    of a fill is that of the note before that of a file before that of a person; its part of an amount of several fills
    is by their estimates. Fills of which nothing is stated keep what was known of their charges; the depository's alone
    joins what was told with them.

    Where more fills of those days are booked afterwards, `operations.spread_charges` shares the amounts anew. All lines
    of a call have one source.

    Raises: InvalidValue, UnknownAccount, LedgerBusy, LedgerNotReady.
    """
    by, text = correcting.author(by), correcting.why(text)
    checked = stating.checked(lines, document)
    now = datetime.now(UTC)
    with writing():
        account, head = journal.lock_account(account_code)
        rows = stating.new_rows(account, checked, document, broker, in_place_of_all=in_place_of_all)
        for row in rows:
            row.text, row.author, row.recorded_at = text, by, now
            row.save()
        if rows:
            journal.append(account, "state_charges", stating.journal_body(rows), now=now, by=by, head=head)
        if not checked:
            return ChargesKept(0, 0)
        first, last = min(line.day for line in checked), max(line.last_day for line in checked)
        reason = f"Charges stated by {text}"
        trades = charging.bring_to_trades(account, head, first, last, source=text, reason=reason, by=by, now=now)
    return ChargesKept(len(rows), trades)
