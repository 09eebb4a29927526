"""Keeping the corporate actions that a broker's statement tells of, so that a person can confirm them.

Three things are such: a line of the file (a split, a bonus, an option that was exercised or expired), a contract that
has expired in the statement's time and that no file settles, and a quantity of the statement that is a plain multiple
of what the ledger holds. None of them is booked here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256

from trading.bookkeeping import journal
from trading.bookkeeping.incoming_fills import house_of
from trading.brokers.values import ActionLine, InstrumentName, Statement
from trading.domain.chain import JournalEntry
from trading.domain.contract_symbols import expires_by
from trading.domain.flags import IMPORTED
from trading.domain.money import parse_amount
from trading.errors import InvalidValue
from trading.models import Account, BrokerFile, CorporateAction, Instrument, Trade
from trading.models.reference import NAME_BYTES
from trading.queries.accounts import get_account
from trading.queries.corporate_actions import ProposedAction, as_proposed, proposed
from trading.queries.instrument_names import NameMap, ResolvedNames, names_of
from trading.queries.instruments import shown_symbol
from trading.queries.ledger_side import positions_at
from trading.transactions import reading, writing

COLUMNS = ("id", "file_id", "key", "day", "kind", "symbol", "text", "new", "old", "quantity")
RATIO_MAX = 10  # no share is split at 137 for 100: that is a missing fill
_DERIVATIVES = (Instrument.Kind.FUTURE, Instrument.Kind.OPTION)


def propose_actions(
    account_code: str, statement: Statement, *, symbols: NameMap | None = None, by: str = ""
) -> list[ProposedAction]:
    """Keep the actions that a statement tells of and return those that wait for a person; the same again keeps none.

    Import the fills first: what is held after them decides.

    Raises: UnknownAccount, LedgerBusy (call again), LedgerNotReady.
    """
    with reading():
        account = get_account(account_code)
        rows = [*_told_by(account, statement, symbols or {}), *_expired(account, statement)]
        rows += _not_tying(account, statement, symbols or {})
    if not rows:
        return []
    now = datetime.now(UTC)
    keys = [row.key for row in rows]
    with writing():
        account, head = journal.lock_account(account_code)
        file = BrokerFile.objects.get(account=account, sha256=statement.sha256, kind=statement.kind)
        earlier = set(CorporateAction.objects.filter(account=account, key__in=keys).values_list("key", flat=True))
        new = [row for row in rows if row.key not in earlier]
        for row in new:
            row.file, row.recorded_at = file, now
            row.save()
        if new:
            body: JournalEntry = {"actions": [{name: getattr(row, name) for name in COLUMNS} for row in new]}
            journal.append(account, "propose_actions", body, now=now, by=by, head=head)
    with reading():
        return as_proposed(CorporateAction.objects.filter(account=account, key__in=keys, decision=None))


def proposals_in(account_code: str, statement: Statement, *, symbols: NameMap | None = None) -> list[ProposedAction]:
    """Return the actions that stand in a statement and were not decided, as a trial tells them: nothing is kept, and
    ``pk`` is 0 of those that are new."""
    with reading():
        account = get_account(account_code)
        rows = _told_by(account, statement, symbols or {})
        kept = CorporateAction.objects.filter(account=account, key__in=[row.key for row in rows])
        new = {row.key for row in rows} - set(kept.values_list("key", flat=True))
        return [*as_proposed(kept.filter(decision=None)), *(proposed(row) for row in rows if row.key in new)]


def _told_by(account: Account, statement: Statement, symbols: NameMap) -> list[CorporateAction]:
    """Return the rows of the actions that stand in a statement, none of them written."""
    names = names_of([line.instrument for line in statement.actions], symbols)
    occurrences = Counter[tuple[str, ...]]()
    rows = []
    for line in statement.actions:
        name = line.instrument
        symbol = names.resolve(name) or ""
        # Two layouts of a broker word one action differently: its text is no part of the key.
        content = (
            *(house_of(statement.broker), line.kind, line.day.isoformat()),
            name.isin or name.symbol or name.company or name.code or line.text,
            *("" if number is None else f"{number.normalize():f}" for number in (line.new, line.old, line.quantity)),
        )
        occurrences[content] += 1
        rows.append(
            CorporateAction(
                account=account,
                key=_key(*content, str(occurrences[content])),
                day=line.day,
                kind=line.kind if line.kind in CorporateAction.Kind.values else CorporateAction.Kind.OTHER,
                symbol=symbol if len(symbol) <= NAME_BYTES else "",
                text=_storable_text(line.text or _words(name, line)),
                new=_storable(line.new),
                old=_storable(line.old),
                quantity=_storable(line.quantity),
            )
        )
    return rows


def _expired(account: Account, statement: Statement) -> Iterator[CorporateAction]:
    """Yield the contracts that are open although they expired in the time of a statement of their exchange."""
    exchanges = {line.instrument.exchange for line in statement.fills}
    last_day = statement.last_day or max((line.day for line in statement.fills), default=date.min)
    trades = Trade.objects.filter(account=account, state=Trade.State.OPEN, instrument__kind__in=_DERIVATIVES)
    trades = trades.filter(instrument__exchange__code__in=exchanges - {None})
    seen = set()
    for trade in trades.select_related("instrument__exchange").order_by("pk"):
        instrument = trade.instrument
        expiry = instrument.expiry or expires_by(instrument.symbol)
        if expiry is None or expiry > last_day or instrument.pk in seen or IMPORTED not in trade.flags:
            continue
        seen.add(instrument.pk)
        symbol = shown_symbol(instrument.exchange.code, instrument.symbol)
        yield CorporateAction(
            account=account,
            key=_key("expired", symbol),
            day=expiry,
            kind=CorporateAction.Kind.SETTLEMENT,
            symbol=symbol,
            text=f"{symbol} has expired by {expiry} and is open: no file tells how it was settled.",
        )


def _not_tying(account: Account, statement: Statement, symbols: NameMap) -> Iterator[CorporateAction]:
    """Yield the shares of which a statement has a plain multiple of what the ledger holds at the end of that day."""
    stated = [line for line in statement.positions if line.quantity]
    names: ResolvedNames = names_of([line.instrument for line in stated], symbols)
    held = {
        (row.symbol, row.day): row.quantity for row in positions_at(account, {line.last_day for line in stated})
    }  # fmt: skip
    for line in stated:
        symbol = names.resolve(line.instrument) or ""
        units = held.get((symbol, line.last_day))
        if not units or line.quantity is None or line.quantity == units:
            continue
        ratio = Fraction(line.quantity) / Fraction(units)
        if not ratio > 0 or max(ratio.numerator, ratio.denominator) > RATIO_MAX:
            continue
        yield CorporateAction(
            account=account,
            key=_key("quantity", symbol, line.last_day.isoformat(), f"{line.quantity:f}", f"{units:f}"),
            day=line.last_day,
            kind=CorporateAction.Kind.QUANTITY,
            symbol=symbol,
            text=f"The file has {line.quantity:f} of {symbol} at the end of {line.last_day}, the ledger {units:f}: a "
            f"split {ratio.numerator}:{ratio.denominator} on an earlier day would explain it.",
            new=Decimal(ratio.numerator),
            old=Decimal(ratio.denominator),
            quantity=line.quantity,
        )


def _storable(number: Decimal | None) -> Decimal | None:
    """Return a file's number, None where it is more than the ledger keeps."""
    try:
        return None if number is None else parse_amount(number, "quantity")
    except InvalidValue:
        return None


def _storable_text(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\x00", "?")


def _key(*content: str) -> str:
    return sha256("\x1f".join(content).encode("utf-8", "surrogatepass")).hexdigest()


def _words(name: InstrumentName, line: ActionLine) -> str:
    return " ".join(filter(None, (line.kind, name.symbol, name.isin, name.company, name.code)))
