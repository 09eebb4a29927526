"""Lines of stated charges on their way into the ledger: checked, and told from those that are known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from trading.bookkeeping import arguments
from trading.bookkeeping.incoming_fills import house_of
from trading.brokers.stated import StatedFile
from trading.brokers.values import Statement
from trading.domain.chain import JournalEntry
from trading.domain.money import parse_amount
from trading.domain.stated_charges import ChargeSource, ChargeStatement, left_out
from trading.errors import InvalidValue
from trading.models import Account, StatedCharge
from trading.queries.stated_charges import as_statement

_SHA256 = re.compile(r"[0-9a-f]{64}")


def checked(lines: Iterable[ChargeStatement], document: str) -> list[ChargeStatement]:
    """Return lines that can be kept of a document (its SHA-256, "" of a person). Raises: InvalidValue."""
    rows = [_checked(line, document) for line in lines]
    _must_be_once(rows)
    return rows


def new_rows(
    account: Account,
    lines: Sequence[ChargeStatement],
    document: str,
    broker: str,
    *,
    in_place_of_all: bool = False,
    tried: Sequence[StatedFile] = (),
) -> list[StatedCharge]:
    """Return the rows of checked lines, unsaved; none of those of which the same document's newest says the same.

    The lines are all that a document has, so a note that comes for the first time states 0 of the heads that earlier
    notes (or files that are ``tried`` before) have of its days and it has not. ``in_place_of_all``: they are what is to
    stand of a document, and a row is made of each that does not; what it stated before another one did is a row again.
    """
    if not in_place_of_all:
        lines = [*lines, *_left_out(account, lines, document, tried)]
    rows = []
    for line in lines:
        names = ("day", "last_day", "segment", "exchange", "head", "source")
        columns = {name: getattr(line, name) for name in names}
        stated = StatedCharge.objects.filter(account=account, **columns)
        newest = (stated if in_place_of_all else stated.filter(document=document)).order_by("-pk").first()
        if newest is None or newest.amount != line.amount:
            rows.append(StatedCharge(account=account, amount=line.amount, broker=broker, document=document, **columns))
    return rows


def _left_out(
    account: Account, lines: Sequence[ChargeStatement], document: str, tried: Sequence[StatedFile]
) -> list[ChargeStatement]:
    """Return what a note leaves out of earlier ones; of one that was stated before nothing more."""
    notes = [line for line in lines if line.source == ChargeSource.NOTE]
    if not notes:
        return []
    days = {"day__gte": min(line.day for line in notes), "last_day__lte": max(line.last_day for line in notes)}
    rows = list(StatedCharge.objects.filter(account=account, source=ChargeSource.NOTE, **days).order_by("pk"))
    if any(row.document == document for row in rows):
        return []
    earlier = [as_statement(row) for row in rows]
    return left_out(notes, [*earlier, *(line for file in tried for line in file.lines)])


def must_be_of_one_broker(account: Account, statement: Statement, tried: Sequence[StatedFile] = ()) -> None:
    """Raise InvalidValue where another broker's documents state charges of the same days.

    ``tried`` are files that would be imported before. Nobody
    could tell whose fills they are of, and the later would stand in the place of the earlier.
    """
    days = [day for line in statement.charges for day in (line.day, line.last_day)]
    if not days:
        return
    house, first, last = house_of(statement.broker), min(days), max(days)
    lines = StatedCharge.objects.filter(account=account, day__lte=last, last_day__gte=first).exclude(broker="")
    other = lines.exclude(broker=house).values_list("day", "broker").first()
    for file in tried:
        own = (line.day for line in file.charges if line.day <= last and line.last_day >= first)
        if other is None and house_of(file.broker) != house and (day := next(own, None)) is not None:
            other = (day, house_of(file.broker))
    if other is not None:
        raise InvalidValue(
            f"The account has charges of {other[0]} from a file of {other[1]}, and this is one of {house}.",
            field="account",
            hint="Keep an account for each broker: `manage.py account create` makes one.",
        )


def journal_body(rows: Sequence[StatedCharge]) -> JournalEntry:
    """Return what the journal says of rows, which have source, document, broker, text and author in common."""
    names = ("day", "last_day", "segment", "exchange", "head", "amount")
    return {
        "charges": [{name: getattr(row, name) for name in names} for row in rows],
        **{name: str(getattr(rows[0], name)) for name in ("source", "document", "broker", "text", "author")},
        "charge_pks": [row.pk for row in rows],
    }


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
