"""One trade's life on one terminal screen: plain lines, none longer than `WIDTH`, no list longer than `LINES`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from textwrap import wrap

from django.utils.timezone import localtime

from trading.domain import amounts, display, flags
from trading.domain.drawing import sparkline
from trading.queries.excursions import ns
from trading.queries.trade_life import TradeLife

WIDTH = 100
LINES = 5
_MARGIN = 9
_PLOT = WIDTH - _MARGIN


def screen(life: TradeLife) -> list[str]:
    """Return a trade's life as lines: its result, its prices, why it was taken, fills, stops, review, journal."""
    reasons = [
        line
        for signal in life.signals
        for line in wrap(
            f"{localtime(signal.at):%H:%M:%S} {signal.decision.lower()} {signal.reason or ''} "
            + ", ".join(f"{name} {amounts.condition(value)}" for name, value in signal.conditions.items()),
            _PLOT,
        )
    ]
    stops = [
        f"{localtime(stop.at):%H:%M:%S} {_price(stop.stop_price)} ({stop.method}, extreme {_price(stop.extreme_price)})"
        f"{' · moved back' if stop.moved_back else ''}"
        for stop in life.stops
    ]
    journal = [
        f"{row.sequence} {row.operation} {localtime(row.recorded_at):%Y-%m-%d %H:%M:%S}"
        f"{f' by {row.recorded_by}' if row.recorded_by else ''} {row.mac[:12]}"
        for row in life.journal
    ]
    lines = [
        *_head(life),
        "",
        *_prices(life),
        "",
        *_section("why", reasons),
        *_section("fills", _fills(life)),
        *_section("stops", stops),
        *_section("review", _review(life)),
        *_section("journal", journal),
    ]
    return [line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…" for line in lines]


def _head(life: TradeLife) -> Iterator[str]:
    """Yield what the trade was, when, what it brought, and how far it went for and against its holder."""
    row, trade = life.row, life.row.trade
    yield f"{trade.symbol} {trade.side} · {trade.strategy_id} · trade {trade.trade_id} · {trade.account}"
    dated, times = ("%Y-%m-%d",) * 2 if flags.DAY_ONLY in trade.flags else ("%Y-%m-%d %H:%M:%S", "%H:%M:%S")
    held = "" if row.held_seconds is None else f", held {display.duration(row.held_seconds)}"
    closed = "open still" if trade.closed_at is None else f"closed {localtime(trade.closed_at):{times}}{held}"
    opened = display.UNDEFINED if trade.opened_at is None else f"{localtime(trade.opened_at):{dated}}"
    yield " · ".join(filter(None, [f"opened {opened}, {closed}", display.outcome(row.result), trade.exit_reason]))
    charges = "charges not known" if trade.charges is None else f"charges {_money(life, trade.charges)}"
    charges += "" if life.charges_estimated is None else f" (estimated {_money(life, life.charges_estimated)})"
    risk = "no initial stop" if not life.initial_risk else f"risked {_money(life, life.initial_risk)}"
    r = "" if row.r_multiple is None else f"{row.r_multiple} R"
    pnl = f"P&L {_money(life, trade.realised_pnl)} {life.currency} before charges"
    yield " · ".join(filter(None, [pnl, charges, r, risk, ", ".join(map(flags.meaning, trade.flags))]))
    excursion = life.excursion_fields()
    if excursion:
        risks = [excursion["mae_r"], excursion["mfe_r"]]
        in_risks = ["" if multiple is None else f" ({multiple} R)" for multiple in risks]
        against = f"MAE {_money(life, excursion['mae'])}{in_risks[0]} at {localtime(excursion['mae_at']):%H:%M:%S}"
        in_favour = f"MFE {_money(life, excursion['mfe'])}{in_risks[1]} at {localtime(excursion['mfe_at']):%H:%M:%S}"
        given_back = f"given back {_money(life, excursion['given_back'])}"
        yield " · ".join(filter(None, [against, in_favour, given_back, excursion["gap"]]))


def _prices(life: TradeLife) -> Iterator[str]:
    """Yield the last price of each stretch of time as a row of blocks, marks of fills and stops, and the levels."""
    trade = life.row.trade
    if not life.prices or trade.opened_at is None:
        yield f"{'price':<{_MARGIN}}no ticks were recorded while it was open"
        return
    start, stop = ns(trade.opened_at), life.times[-1] if trade.closed_at is None else ns(trade.closed_at)

    def place(at: int) -> int:
        return min(_PLOT - 1, max(0, (at - start) * _PLOT // max(1, stop - start)))

    last = {place(at): price for at, price in zip(life.times, life.prices, strict=True)}
    plotted, price = [], life.prices[0]
    for stretch in range(_PLOT):
        price = last.get(stretch, price)  # a quiet stretch repeats the one before
        plotted.append(price)
    yield f"{'price':<{_MARGIN}}{sparkline(plotted, width=_PLOT)}"
    # Later marks stand over earlier ones of the same place: the exit is always seen.
    marks = [" "] * _PLOT
    for change in life.stops:
        marks[place(ns(change.at))] = "s"
    for number, (fill, _) in enumerate(life.fills):
        marks[place(ns(fill.at))] = "E" if number == 0 else "-" if fill.role == "EXIT" else "+"
    if trade.closed_at is not None:
        marks[place(ns(trade.closed_at))] = "X"
    yield f"{'':<{_MARGIN}}{''.join(marks).rstrip()}"
    low, high = (_price(Decimal(repr(end(life.prices)))) for end in (min, max))
    stops = [price for price in (life.initial_stop_price, trade.stop_price) if price is not None]
    levels = [f"E entry {_price(life.row.entry_price)}"]
    levels += [f"s stop {' to '.join(dict.fromkeys(_price(price) for price in stops))}"] if stops else []
    exits = [fill.price for fill, _ in life.fills if fill.role == "EXIT"]
    levels += [f"X exit {_price(exits[-1])}"] if exits else []
    yield f"{'':<{_MARGIN}}{' · '.join([*levels, f'low {low}', f'high {high}', f'{len(life.prices)} ticks'])}"


def _fills(life: TradeLife) -> Iterator[str]:
    for fill, pnl in life.fills:
        quantity, at = amounts.number(fill.quantity, life.currency), localtime(fill.at)
        when = f"{at:%Y-%m-%d}" if fill.is_day_only else f"{at:%H:%M:%S}"
        if fill.role == "SPLIT":
            yield f"{when} {fill.side} {quantity} ({fill.order_id})"
            continue
        realised = "" if pnl is None else f" · P&L {_money(life, pnl)}"
        charges = "" if fill.charges is None else f" · charges {_money(life, fill.charges)}"
        price = f"{fill.side} {quantity} at {_price(fill.price)} ({fill.settlement or fill.role.lower()})"
        yield f"{when} {price}{realised}{charges}"


def _review(life: TradeLife) -> Iterator[str]:
    review = life.row.review
    if review is None:
        yield "not reviewed"
        return
    rating = f"{review.rating} of 5" if review.rating else ""
    reviewer = review.reviewed_by.get_username() if review.reviewed_by else ""
    yield " · ".join(filter(None, [rating, ", ".join(review.tags), reviewer])) or "opened for review"
    yield from filter(None, (" ".join(review.mistakes.split()), " ".join(review.notes.split())))


def _section(name: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield lines beside a section's name; of a list that is too long the first ones and the last."""
    every = list(lines) or [display.UNDEFINED]
    if len(every) > LINES:
        every = [*every[: LINES - 2], f"… {len(every) - LINES + 1} more", every[-1]]
    for number, line in enumerate(every):
        yield f"{'' if number else name:<{_MARGIN}}{' '.join(line.split())}"


def _money(life: TradeLife, amount: Decimal) -> str:
    return display.money(amounts.rounded(amount, life.currency), life.currency)


def _price(price: Decimal | None) -> str:
    return display.UNDEFINED if price is None else display.plain(price)
