"""The journal: one row per operation, written in the operation's own transaction, chained by HMAC-SHA256.

The body is canonical JSON: keys in order, no spaces, money as plain decimal strings, times ISO in UTC with ``Z``. Every
body has ``account``, ``sequence``, ``op``, ``recorded_at``, ``by`` and what the operation adds (and ``intake``, the id
of the fact, where it was called with an intake):

- ``trade``: {pk, trade_id, trading_day, strategy, symbol, side, strategy_pk, instrument_pk, flags} in every operation
  on a trade. ``symbol`` is the name that callers use, ``flags`` are those after the operation.
- ``fill``: {sequence, fill_id, order_id, side, role, price, quantity, charges, at} where a fill was booked.
- ``fill_key``: {pk, day, number} where a fill with an id was booked, or an amend moved one to another trading day: the
  key that it got (`models.FillKey`); with ``from``, the fill it stood for, where that was voided and is booked anew.
- ``realised``: {quantity, cost, proceeds, charges, pnl, closes, day} where that fill was an exit.
- ``day``: {day, gross_pnl, charges, trades_closed, wins, losses} after such a fill: the strategy's day so far.
- ``flip``: {to: trade_id} in the add_fill that closed, {from: trade_id} in the open_position that follows it, where one
  fill of the broker reversed a trade.
- ``multiplier``: the instrument's, in an open_position: a correction of the contract may change it later.
- ``stop``: {stop_price, extreme_price, method, at, moved_back} where a stop was changed.
- ``target_price`` in an apply_split, whose ``fill`` has the role SPLIT: what it gave or took, under its key and ratio.
- ``signal``: {at, decision, reason, conditions} where a signal was recorded; where a trade took up a known one
  ``signal_taken`` is its key.
- ``charges``: [{day, last_day, segment, exchange, head, amount}], ``source``, ``document``, ``text``, ``author`` and
  ``charge_pks`` of a state_charges, which a set_charges follows for each trade that changes by it; {day, plan} in a
  set_brokerage_plan.
- ``note``: {day, version, text} in a write_day_note; its author is ``by``.
- ``limit``: {number, kind, strategy, strategy_pk, amount, first_day, reason} in a set_limit; its author is ``by``,
  ``amount`` null where it ends a limit, ``strategy`` null where it is the whole account's.
- ``screenshot``: {name, format, width, height, size, sha256} in an add_screenshot; its file is beside the ledger.
  A withdraw_screenshot has ``screenshot_pk``, ``withdrawal_pk`` and ``reason``; that file is removed after it.
- ``token``: {name, sha256, scopes, networks, expires_at} in a make_token, with ``token_pk``; a revoke_token has
  ``token_pk`` and ``revocation_pk``. What a token recorded has ``by`` "token " and its name.
- ``fill_pk realisation_pk day_total_pk stop_pk signal_pk number_pks review_pk summary_pk note_pk
  screenshot_pk limit_pk``: the keys of the rows that the operation wrote, so that `manage.py verify_ledger` can compare
  every column with what was said here.

A correction (amend, void, set_charges, correct_contract) has ``trade`` as it is named from then on, and:

- ``correction``: the row written: {kind, fill, body, reason, author, from_strategy, from_day}. ``kind`` is amend, void,
  charges or contract; ``fill`` the sequence of the fill meant, null for the trade; ``from_strategy`` (code) and
  ``from_day`` where the trade was found until then, null where it did not move. ``body`` of an amend: {was, now},
  each {price, quantity, at, charges, strategy} as far as they changed, as texts, null for what was not known; of
  charges: {was: {charges}, now: {charges}, by_fill: {sequence: charges}, source}, with ``stated`` where they follow
  from stated lines; of a void: {}; of a contract:
  {was, now}, each {kind, multiplier, lot, quantity_step, price_tick} as far as they changed.
- ``stands``: the columns of the trade after it that may have changed: {strategy, trading_day, state, opened_at,
  closed_at, open_quantity, open_cost, entry_quantity, entry_value, realised_pnl, charges, initial_risk, close_price,
  exit_reason, reported_pnl, reported_pnl_percent, flags}. They follow from the fills with all corrections read over
  them (`queries.facts`), folded in order of sequence.
- ``realisations``: all rows of what the trade realised after it: [{fill, pk, day, at, quantity, cost, proceeds,
  charges, pnl, closes}], their strategy the trade's; a void trade has none. The totals of the days touched, before
  and after, are the sums of what is realised on them; a total of nothing is no row.
- ``correction_pk``, and ``day_totals``: [{strategy_pk, day, pk}] of the days touched, pk null where no row is left.

An import of a broker's file (`models.imports`) has:

- import_file: ``file`` {id, sha256, broker, kind, client, first_day, last_day, rows_read, fills}.
- import_fills: ``fills``, [{id, file_id, exchange_id, instrument_id, strategy_id, day, broker_fill_id, order_id, kind,
  side, quantity, price, charges, at, place, is_cash, isin}]: rows of `BrokerFill` as they are.
- propose_actions: ``actions``, [{id, file_id, key, day, kind, symbol, text, new, old, quantity}]: rows of
  `CorporateAction` as they are. decide_action: ``decision`` {id, action_id, terms, reason}; what was booked by it
  stands in apply_split, or in import_fills and book_trade, before it.
- book_trade, a trade with all its fills: ``trade``, ``multiplier``, ``stop_price``, ``target_price`` and ``flip`` as an
  open_position has them; ``fills``, each {fill, fill_pk, fill_key, realised, realisation_pk} as an add_fill has them;
  ``exit_reason``; ``day_totals`` of the days on which it realised something. A void whose trade gave way to others that
  later files made has its new ``trade_id``.

What became of breaks between ledger, broker and hot copy (record_breaks, approve_breaks) is in ``breaks``: [{id,
break_id, event, kind, key, day, ledger, broker, hot, proposal, opened_at, author, reason}], rows of `BreakEvent` as
they are.

The operations: open_position, add_fill, close_position, update_trailing_sl, record_signal, create_account, add_capital,
clear_account, publish_daily_summary, review_trade, amend, void, set_charges, correct_contract, apply_split,
import_file, import_fills, propose_actions, decide_action, book_trade, state_charges, set_brokerage_plan, record_breaks,
approve_breaks, write_day_note, add_screenshot, withdraw_screenshot, make_token, revoke_token, set_limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime

from django.conf import settings
from django.db import transaction

from timeseries.values import parse_name
from trading import heads, rows
from trading.bookkeeping import by_hand
from trading.domain.chain import EntryValue, JournalEntry, canonical, chain_code
from trading.errors import InvalidValue, LedgerNotReady
from trading.models import Account, Journal, JournalHead
from trading.queries.accounts import get_account

NEWEST_LINKS = (
    8  # of which one must be of our key: a row that was tampered with does not stop the desk, another key does
)
_ours: set[tuple[str, int, str]] = set()  # ledger, account and key of the chains that were looked at

_intake: ContextVar[str] = ContextVar("intake", default="")
_author: ContextVar[str] = ContextVar("author", default="")


@contextmanager
def from_intake(fact: str) -> Iterator[None]:
    """Let every row written within name the fact of the intake that it comes from."""
    token = _intake.set(fact)
    try:
        yield
    finally:
        _intake.reset(token)


@contextmanager
def on_behalf_of(author: str) -> Iterator[None]:
    """Let every row written within name its author, where the operation itself names nobody."""
    token = _author.set(author)
    try:
        yield
    finally:
        _author.reset(token)


def lock_head(account: Account) -> JournalHead:
    """Lock the end of the account's chain and return it: the next writer waits here until this transaction ends."""
    heads_of_account = rows.fetch(JournalHead, account_id=account.pk, lock=True)
    if heads_of_account:
        return heads_of_account[0]
    ledger = JournalHead.objects.exclude(ledger="").values_list("ledger", flat=True).first() or ""
    return JournalHead.objects.select_for_update().get_or_create(account=account, defaults={"ledger": ledger})[0]


def lock_account(code: str) -> tuple[Account, JournalHead]:
    """Lock the end of an account's chain; return the account and that end. Raises: UnknownAccount."""
    with suppress(InvalidValue):  # what is no name is no account's name either
        if account := rows.one(Account, code=parse_name(code, "account")):
            return account, lock_head(account)
    account = get_account(code)
    return account, lock_head(account)


def append(
    account: Account,
    operation: str,
    body: Mapping[str, EntryValue],
    *,
    now: datetime,
    by: str = "",
    head: JournalHead | None = None,
) -> Journal:
    """Add one row to the account's chain, inside the operation's transaction; ``head`` where it is locked already.

    Raises: LedgerNotReady where the chain was written with another key than this data folder's.
    """
    head = head or lock_head(account)
    row = _link(account, operation, body, now=now, by=by, head=head, key=_key_of(head))
    rows.insert(row)
    _move_head(head, account, row)
    return row


def append_many(
    account: Account,
    operation: str,
    bodies: Sequence[Mapping[str, EntryValue]],
    *,
    now: datetime,
    by: str,
    head: JournalHead,
) -> None:
    """Add several rows of one operation to the account's chain by one statement; ``head`` is locked already."""
    key = _key_of(head)
    links = [_link(account, operation, body, now=now, by=by, head=head, key=key) for body in bodies]
    if links:
        rows.insert_many(links)
        _move_head(head, account, links[-1])


def _key_of(head: JournalHead) -> str:
    """Return the key of this data folder, read from its file, where the end of the chain is of it.

    A second host, or a folder that lost its key, would go on with another one, and no proof would hold any more.
    """
    key = str(settings.JOURNAL_KEY)
    chain = (head.ledger, head.account_id, key)
    if chain not in _ours:
        links = Journal.objects.filter(account=head.account_id).order_by("-sequence")[:NEWEST_LINKS]
        newest = list(links.values_list("previous_mac", "body", "mac"))
        if newest and not any(chain_code(key, previous, body) == mac for previous, body, mac in newest):
            raise LedgerNotReady(
                "The data folder's journal.key is not the one that the ledger's journal was written with.",
                hint="Nothing was written. Put the ledger's own in its place: of the first host, or of its backup.",
            )
        _ours.add(chain)
    return key


def _link(
    account: Account,
    operation: str,
    body: Mapping[str, EntryValue],
    *,
    now: datetime,
    by: str,
    head: JournalHead,
    key: str,
) -> Journal:
    """Return the next link of the chain and let ``head`` end with it; neither is written yet."""
    sequence, entry = head.sequence + 1, by_hand.current()
    by = by or (_author.get() if entry is None else entry.by)
    stamped: JournalEntry = {
        "account": account.code,
        "sequence": sequence,
        "op": operation,
        "recorded_at": now,
        "by": by,
    }
    stamped |= {"intake": fact} if (fact := _intake.get()) else {}
    text = canonical({**body, **stamped})
    row = Journal(
        account=account,
        sequence=sequence,
        operation=operation,
        body=text,
        mac=chain_code(key, head.mac, text),
        previous_mac=head.mac,
        recorded_at=now,
        recorded_by=by,
    )
    head.sequence, head.mac = sequence, row.mac
    return row


def _move_head(head: JournalHead, account: Account, last: Journal) -> None:
    """Write the end of the chain, and publish it once it is committed."""
    rows.update(head, ("sequence", "mac"))
    transaction.on_commit(lambda: heads.publish(head.ledger, account.code, last.sequence, last.mac, last.operation))
