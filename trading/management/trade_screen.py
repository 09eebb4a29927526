"""One trade's life on one terminal screen: plain lines, none longer than `WIDTH`, no list longer than `LINES`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from textwrap import wrap
from typing import Any

from django.utils import timezone

from trading.domain import amounts, display, flags
from trading.management.charts import sparkline
from trading.queries.excursions import ns
from trading.queries.trade_life import TradeLife

WIDTH = 100
LINES = 5
_MARGIN = 9
_PLOT = WIDTH - _MARGIN


def screen(life: TradeLife) -> list[str]:
    """Return the lines."""
    return [
        *_head(life),
        "",
        *_prices(life),
        "",
        *_section("why", _signals(life)),
        *_section("fills", _fills(life)),
        *_section("stops", _stops(life)),
        *_section("review", _review(life)),
        *_section("journal", _journal(life)),
    ]


def _head(life: TradeLife) -> Iterator[str]:
    row, trade = life.row, life.row.trade
    yield _cut(f"{trade.symbol} {trade.side} · {trade.strategy_id} · trade {trade.trade_id} · {trade.account}")
    held = "" if row.held_seconds is None else f", held {display.duration(row.held_seconds)}"
    closed = "open still" if trade.closed_at is None else f"closed {_clock(trade.closed_at)}{held}"
    words = [f"opened {_moment(trade.opened_at)}, {closed}", row.result, trade.exit_reason]
    yield _cut(" · ".join(filter(None, words)))
    charges = "charges not known" if trade.charges is None else f"charges {_money(life, trade.charges)}"
    risk = "no initial stop" if not life.initial_risk else f"risked {_money(life, life.initial_risk)}"
    r = "" if row.r_multiple is None else f"{row.r_multiple} R"
    pnl = f"P&L {_money(life, trade.realised_pnl)} {life.currency} before charges"
    yield _cut(" · ".join(filter(None, [pnl, charges, r, risk, ", ".join(map(flags.meaning, trade.flags))])))
    found = life.excursion_fields()
    if found:
        ends = [_end(life, found, name) for name in ("mae", "mfe")]
        yield _cut(" · ".join(filter(None, [*ends, f"given back {_money(life, found['given_back'])}", found["gap"]])))


def _end(life: TradeLife, found: dict[str, Any], name: str) -> str:
    risks = found[f"{name}_r"]
    in_risks = "" if risks is None else f" ({risks} R)"
    return f"{name.upper()} {_money(life, found[name])}{in_risks} at {_clock(found[f'{name}_at'])}"


def _prices(life: TradeLife) -> Iterator[str]:
    trade = life.row.trade
    if not life.prices or trade.opened_at is None:
        yield f"{'price':<{_MARGIN}}no ticks were recorded while it was open"
        return
    start, stop = ns(trade.opened_at), life.times[-1] if trade.closed_at is None else ns(trade.closed_at)
    yield f"{'price':<{_MARGIN}}{sparkline(_by_time(life, start, stop), width=_PLOT)}"
    marks = [" "] * _PLOT
    for at, letter in _marks(life):
        marks[_place(ns(at), start, stop)] = letter
    yield f"{'':<{_MARGIN}}{''.join(marks).rstrip()}"
    low, high = (_price(Decimal(repr(end(life.prices)))) for end in (min, max))
    ends = [f"low {low}", f"high {high}", f"{len(life.prices)} ticks"]
    stops = [price for price in (life.initial_stop_price, trade.stop_price) if price is not None]
    levels = [f"E entry {_price(life.row.entry_price)}"]
    levels += [f"s stop {' to '.join(dict.fromkeys(_price(price) for price in stops))}"] if stops else []
    exits = [fill.price for fill, _ in life.fills if fill.role == "EXIT"]
    levels += [f"X exit {_price(exits[-1])}"] if exits else []
    yield _cut(f"{'':<{_MARGIN}}{' · '.join([*levels, *ends])}")


def _by_time(life: TradeLife, start: int, stop: int) -> list[float]:
    """The last price of each of the plot's stretches of time; a quiet one repeats the one before."""
    last: dict[int, float] = {}
    for at, price in zip(life.times, life.prices, strict=True):
        last[_place(at, start, stop)] = price
    values, seen = [], life.prices[0]
    for place in range(_PLOT):
        seen = last.get(place, seen)
        values.append(seen)
    return values


def _marks(life: TradeLife) -> Iterator[tuple[datetime, str]]:
    """Later marks stand over earlier ones of the same place: the exit is always seen."""
    for stop in life.stops:
        yield stop.at, "s"
    for number, (fill, _) in enumerate(life.fills):
        yield fill.at, "E" if number == 0 else "-" if fill.role == "EXIT" else "+"
    if life.row.trade.closed_at is not None:
        yield life.row.trade.closed_at, "X"


def _place(at: int, start: int, stop: int) -> int:
    return min(_PLOT - 1, max(0, (at - start) * _PLOT // max(1, stop - start)))


def _signals(life: TradeLife) -> Iterator[str]:
    for signal in life.signals:
        seen = ", ".join(f"{name} {amounts.condition(value)}" for name, value in signal.conditions.items())
        yield from wrap(f"{_clock(signal.at)} {signal.decision.lower()} {signal.reason or ''} {seen}", _PLOT)


def _fills(life: TradeLife) -> Iterator[str]:
    for fill, pnl in life.fills:
        made = "" if pnl is None else f" · P&L {_money(life, pnl)}"
        charges = "" if fill.charges is None else f" · charges {_money(life, fill.charges)}"
        quantity = amounts.number(fill.quantity, life.currency)
        if fill.role == "SPLIT":
            yield f"{_clock(fill.at)} {fill.side} {quantity} ({fill.order_id})"
            continue
        yield f"{_clock(fill.at)} {fill.side} {quantity} at {_price(fill.price)} ({fill.role.lower()}){made}{charges}"


def _stops(life: TradeLife) -> Iterator[str]:
    for stop in life.stops:
        back = " · moved back" if stop.moved_back else ""
        yield f"{_clock(stop.at)} {_price(stop.stop_price)} ({stop.method}, extreme {_price(stop.extreme_price)}){back}"


def _review(life: TradeLife) -> Iterator[str]:
    review = life.row.review
    if review is None:
        yield "not reviewed"
        return
    who = review.reviewed_by.get_username() if review.reviewed_by else ""
    parts = [f"{review.rating} of 5" if review.rating else "", ", ".join(review.tags), who]
    yield " · ".join(filter(None, parts)) or "opened for review"
    yield from filter(None, (" ".join(review.mistakes.split()), " ".join(review.notes.split())))


def _journal(life: TradeLife) -> Iterator[str]:
    for row in life.journal:
        by = f" by {row.recorded_by}" if row.recorded_by else ""
        yield f"{row.sequence} {row.operation} {_moment(row.recorded_at)}{by} {row.mac[:12]}"


def _section(name: str, lines: Iterable[str]) -> Iterator[str]:
    """A list that is too long keeps its first lines and its last."""
    every = list(lines) or [display.UNDEFINED]
    if len(every) > LINES:
        every = [*every[: LINES - 2], f"… {len(every) - LINES + 1} more", every[-1]]
    for number, line in enumerate(every):
        yield _cut(f"{'' if number else name:<{_MARGIN}}{' '.join(line.split())}")


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def _money(life: TradeLife, value: Any) -> str:
    return display.money(amounts.rounded(value, life.currency), life.currency)


def _price(value: Any) -> str:
    return display.UNDEFINED if value is None else display.plain(value)


def _clock(at: datetime) -> str:
    return f"{timezone.localtime(_seconds(at)):%H:%M:%S}"


def _moment(at: datetime | None) -> str:
    return display.UNDEFINED if at is None else f"{timezone.localtime(_seconds(at)):%Y-%m-%d %H:%M:%S}"


def _seconds(at: datetime) -> datetime:
    return at - timedelta(microseconds=at.microsecond)
