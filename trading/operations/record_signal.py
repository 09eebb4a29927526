"""Recording a signal, taken or skipped."""

from __future__ import annotations

from datetime import UTC, datetime

from timeseries.values import Instant, parse_name
from trading.bookkeeping import arguments, journal, references, signals
from trading.domain import values
from trading.domain.chain import JournalEntry
from trading.domain.conditions import Conditions
from trading.queries.instruments import shown_symbol
from trading.queries.signals import signal_value
from trading.transactions import writing

DECISIONS = ("TAKEN", "SKIPPED")


def record_signal(
    account_code: str,
    strategy_id: str,
    symbol: str,
    at: Instant,
    conditions: Conditions,
    *,
    decision: str,
    reason: str = "",
) -> values.Signal:
    """Record a signal and return it as it is kept; one of the same strategy, symbol, time and decision stays as it is.

    ``decision`` is TAKEN or SKIPPED, ``conditions`` an object of text, numbers, booleans and objects of such, without
    NaN, at most 16 deep and 64 kB; reports group by its numbers and booleans.

    Raises: InvalidValue, IdConflict, UnknownAccount, LedgerBusy, LedgerNotReady.
    """
    strategy_id = parse_name(strategy_id, "strategy_id")
    symbol = parse_name(symbol, "symbol")
    instant = arguments.required_time(at, "at")
    decision = arguments.one_of(decision, "decision", DECISIONS)
    reason = arguments.free_text(reason, "reason")
    plain = arguments.conditions_of(conditions, "conditions")
    now = datetime.now(UTC)
    with writing():
        account, head = journal.lock_account(account_code)
        instrument, strategy = references.instrument_of(symbol, account), references.strategy_of(strategy_id)
        signal, is_new = signals.keep(
            account, strategy, instrument, at=instant, decision=decision, reason=reason, conditions=plain, now=now
        )
        if is_new:
            name = shown_symbol(instrument.exchange.code, instrument.symbol)
            kept: JournalEntry = {"at": instant, "decision": decision, "reason": reason, "conditions": plain}
            body = {"signal": kept, "strategy": strategy.code, "symbol": name, **signals.keys_of(signal)}
            journal.append(account, "record_signal", body, now=now, head=head)
            signal.refresh_from_db(fields=["conditions"])  # as the ledger has them: PostgreSQL writes 1e300 out
        return signal_value(signal)
