"""Signals, their numeric conditions, and published summaries, compared with what the journal tells of them."""

from __future__ import annotations

from trading.domain.chain import Body
from trading.domain.conditions import numbers
from trading.domain.recount import References
from trading.progress import Progress
from trading.proof.chain import JOURNAL, Index, loaded
from trading.proof.rows import Tables

BATCH = 2000
SIGNAL, CONDITION, SUMMARY = "trading_signal", "trading_signalcondition", "trading_dailysummary"


def compare_signals(tables: Tables, references: References, index: Index, progress: Progress) -> dict[str, int]:
    """Find what differs in the rows of signals and conditions; return how many rows of each table."""
    signals = sorted(
        (pk or key_of_signal(tables, references, row, account), row, account) for pk, row, account in index.signals
    )
    counts, low = {SIGNAL: 0, CONDITION: 0}, None
    for start in range(0, max(1, len(signals)), BATCH):
        batch = signals[start : start + BATCH]
        high = None if start + BATCH >= len(signals) else batch[-1][0]
        rows, conditions = expected_signals(tables, references, batch, index)
        counts[SIGNAL] += tables.compare(SIGNAL, rows, tables.between(SIGNAL, "id", low, high))
        stored = tables.between(CONDITION, "signal_id", low, high)
        counts[CONDITION] += tables.compare(CONDITION, conditions, stored)
        low = high
        progress("signals", min(start + BATCH, len(signals)), len(signals))
    return counts


def expected_signals(
    tables: Tables, references: References, batch: list[tuple[int, int, int]], index: Index
) -> tuple[list[Body], list[Body]]:
    """Return the rows of these signals (key, journal row, account), and those of their conditions."""
    sql = f"SELECT id, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
    bodies: dict[int, str] = dict(tables.in_batches(sql, [row for _, row, _ in batch]))
    signals, conditions = [], []
    for pk, row, account in batch:
        body = loaded(bodies[row])
        signal, trade = body["signal"], body.get("trade")
        named = trade if trade is not None else body
        cells = {
            **signal,
            "id": pk,
            "account_id": account,
            "strategy_id": references.strategy(named),
            "instrument_id": references.instrument(named),
            "recorded_at": body["recorded_at"],
            "trade_id": trade["pk"] if trade is not None else index.signal_trades.get(pk),
        }
        signals.append(cells)
        keys = body.get("number_pks", {})
        for name, number in dict(numbers(signal["conditions"])).items():
            keyed = {"id": keys[name]} if name in keys else {}
            conditions.append({"signal_id": pk, "name": name, "value": number, **keyed})
    return signals, conditions


def key_of_signal(tables: Tables, references: References, row: int, account: int) -> int:
    """Return the key of a signal that was journaled without it; below 0 where there is no such row."""
    body = loaded(tables.rows(f"SELECT body FROM {JOURNAL} WHERE id = %s", row)[0][0])  # noqa: S608
    named, signal = body.get("trade") or body, body["signal"]
    at = tables.columns(SIGNAL).encode["at"](signal["at"])
    rows = tables.rows(
        "SELECT id FROM trading_signal WHERE account_id = %s AND strategy_id = %s AND instrument_id = %s "
        "AND at = %s AND decision = %s",
        *(account, references.strategy(named), references.instrument(named), at, signal["decision"]),
    )
    return int(rows[0][0]) if rows else -row


def compare_summaries(tables: Tables, index: Index) -> dict[str, int]:
    """Find what differs in the rows of published summaries; return how many rows."""
    sql = f"SELECT id, sequence, previous_mac, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
    accounts, expected = dict(index.summaries), []
    for row, sequence, previous, text in tables.in_batches(sql, accounts, 200):
        body = loaded(text)
        cells = {
            "account_id": accounts[row],
            "day": body["day"],
            "version": body["version"],
            "body": body["summary"],
            "created_at": body["recorded_at"],
            "journal_sequence": sequence - 1,
            "journal_head": previous,
        }
        if "summary_pk" in body:
            cells["id"] = body["summary_pk"]
        expected.append(cells)
    return {SUMMARY: tables.compare(SUMMARY, expected, tables.between(SUMMARY, "id", None, None))}
