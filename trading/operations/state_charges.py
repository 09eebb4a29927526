"""Recording charges that a contract note, a file or a person states, and bringing them to the trades."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from trading.bookkeeping import arguments, charging, correcting, journal
from trading.domain.chain import JournalEntry
from trading.domain.money import parse_amount
from trading.domain.stated_charges import ChargeSource, ChargeStatement
from trading.errors import InvalidValue
from trading.models import Account, StatedCharge
from trading.transactions import writing

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ChargesKept:
    """How many lines were new, and how many trades changed by them."""

    lines: int
    trades: int


def state_charges(
    account_code: str, lines: Iterable[ChargeStatement], *, by: str, text: str, document: str = ""
) -> ChargesKept:
    """Record stated charges and set the `charges` of the trades of their days to what then is stated of them.

    Of each day, segment, market and head a document states one amount: add up its rows before. ``document`` is the
    SHA-256 of the file (hex), "" where a person states; ``text`` says where it stands, or why. An amount that the same
    document stated already changes nothing; one that differs stands in its place. A head of a fill is that of the note
    before that of a file before that of a person; its part of an amount of several fills is by their estimates. Fills
    of which nothing is stated keep what was known of their charges.

    Where more fills of those days are booked afterwards, `operations.spread_charges` shares the amounts anew. All lines
    of a call have one source.

    Raises: InvalidValue, UnknownAccount, LedgerBusy, LedgerNotReady.
    """
    by, text = correcting.author(by), correcting.why(text)
    checked = [_checked(line, document) for line in lines]
    _must_be_once(checked)
    now = datetime.now(UTC)
    with writing():
        account, head = journal.lock_account(account_code)
        rows = [row for line in checked if (row := _new_row(account, line, document)) is not None]
        for row in rows:
            row.text, row.author, row.recorded_at = text, by, now
            row.save()
        if rows:
            journal.append(account, "state_charges", _body(rows), now=now, by=by, head=head)
        if not checked:
            return ChargesKept(0, 0)
        first, last = min(line.day for line in checked), max(line.last_day for line in checked)
        reason = f"Charges stated by {text}"
        trades = charging.bring_to_trades(account, head, first, last, source=text, reason=reason, by=by, now=now)
    return ChargesKept(len(rows), trades)


def _checked(line: ChargeStatement, document: str) -> ChargeStatement:
    """Return a line whose fields can be kept. Raises: InvalidValue."""
    parse_amount(line.amount, "amount")
    if line.last_day < line.day:
        raise InvalidValue(f"{line.day} lies after {line.last_day}.", field="last_day", hint="Give the later day last.")
    is_person = line.source == ChargeSource.PERSON
    if is_person == bool(document) or (document and not _SHA256.fullmatch(document)):
        raise InvalidValue(
            f"document is {document!r} of a {line.source}.",
            field="document",
            hint="Give the SHA-256 of a note or file in small hex letters, and none where a person states.",
        )
    arguments.free_text(f"{line.segment} {line.exchange}", "segment")
    return line


def _must_be_once(lines: Sequence[ChargeStatement]) -> None:
    """Raise InvalidValue where two lines state one head of the same days, segment and market, or sources differ."""
    if len({line.source for line in lines}) > 1:
        raise InvalidValue("Lines of several sources are stated.", field="lines", hint="State each source's in a call.")
    keys = [_key(line) for line in lines]
    if len(set(keys)) < len(keys):
        twice = next(line for line, key in zip(lines, keys, strict=True) if keys.count(key) > 1)
        raise InvalidValue(
            f"{twice.head} of {twice.day} is stated twice.", field="lines", hint="Add up the rows of a day and head."
        )


def _key(line: ChargeStatement) -> tuple[str, ...]:
    days = (line.day.isoformat(), line.last_day.isoformat())
    return (*days, line.segment, line.exchange, str(line.head), str(line.source))


def _new_row(account: Account, line: ChargeStatement, document: str) -> StatedCharge | None:
    """Return the row of a line; None where the same document's newest says the same."""
    names = ("day", "last_day", "segment", "exchange", "head", "source")
    columns = {name: getattr(line, name) for name in names} | {"document": document}
    newest = StatedCharge.objects.filter(account=account, **columns).order_by("-pk").first()
    if newest is not None and newest.amount == line.amount:
        return None
    return StatedCharge(account=account, amount=line.amount, **columns)


def _body(rows: Sequence[StatedCharge]) -> JournalEntry:
    """Return what the journal says of the rows, which have source, document, text and author in common."""
    names = ("day", "last_day", "segment", "exchange", "head", "amount")
    return {
        "charges": [{name: getattr(row, name) for name in names} for row in rows],
        **{name: str(getattr(rows[0], name)) for name in ("source", "document", "text", "author")},
        "charge_pks": [row.pk for row in rows],
    }
