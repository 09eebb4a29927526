"""Answers that are no list, as one sheet: of days a row per strategy, of charges one per day, of a trade one per event.

A total is the row without a name, as in JSON: a spreadsheet that adds a column up leaves it out by that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from trading.domain import values
from trading.domain.chain import Body
from trading.domain.charge_heads import HEAD_TITLES
from trading.domain.shapes import DaySummaries, DaySummary
from trading.queries.charges_report import ChargesReport, sources_text
from trading.queries.trade_whole import FillFacts, StopMove, TradeWhole

# Of each kind of event its columns. An instant and what trade it is of stand before them.
EVENTS: Mapping[str, Sequence[str]] = {
    "fill": list(FillFacts.__annotations__),
    "stop": list(StopMove.__annotations__),
    "signal": ["decision", "reason", "conditions"],
}
CHARGE_COLUMNS = ("date", "segment", "market", *HEAD_TITLES, "total", "source", "unsettled")


def day_rows(summary: DaySummary) -> Iterator[Body]:
    """Yield a row per strategy of a day, then that of the whole account."""
    for row in (*summary["strategies"], summary["total"]):
        yield {"date": summary["date"], **row}


def span_rows(summaries: DaySummaries) -> Iterator[Body]:
    """Yield the rows of each day, then that of all days, which has no date."""
    yield from chain.from_iterable(map(day_rows, summaries["days"]))
    yield {"date": None, **summaries["total"]}


def charge_rows(report: ChargesReport) -> Iterator[Body]:
    """Yield a row per day, segment and market, with every head: 0 where there is none, empty where it is not known."""
    for day in report["days"]:
        yield {
            "date": day["date"],
            "segment": day["segment"],
            "market": day["exchange"],
            **{head: day["heads"].get(head, 0) for head in HEAD_TITLES},
            "total": day["total"],
            "source": sources_text(day),
            "unsettled": " ".join(head for head, mark in day["sure"].items() if mark == "?"),
        }


def event_rows(whole: TradeWhole) -> Iterator[Body]:
    """Yield a trade's fills, steps of its stop and signals by time."""
    trade: values.Trade = whole["trade"]
    columns = dict.fromkeys(chain.from_iterable(EVENTS.values()))
    events: list[tuple[str, Body]] = [
        *(("signal", signal.as_dict()) for signal in whole["signals"]),
        *(("fill", {**fill}) for fill in whole["fills"]),
        *(("stop", {**step}) for step in whole["stops"]),
    ]
    for kind, event in sorted(events, key=lambda pair: pair[1]["at"]):
        cells = {name: event[name] for name in ("at", *EVENTS[kind])}
        head = {"trade_id": trade.trade_id, "strategy_id": trade.strategy_id, "symbol": trade.symbol, "event": kind}
        yield {**head, "at": None, **dict.fromkeys(columns), **cells}
