"""Charts of amounts: shapes for the SVG of a page, blocks for a line of the terminal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, pairwise
from typing import NamedTuple

from trading.domain import amounts
from trading.domain.drawn_shapes import DistributionStep
from trading.domain.excursions import ExcursionPoint

WIDTH, HEIGHT = 1000, 100
SCATTER_WIDTH, SCATTER_HEIGHT = 400, 240
# More than a screen is wide: beyond that, neighbours are drawn as one.
POINTS_MAX = 1000
GAP_SHARE = 0.2  # of a bar's width
BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Chart:
    """Amounts under their labels, drawn on pages only: a line that goes on, or bars from zero.

    ``places`` are where the amounts of a line stand between left (0) and right (1); without them they stand evenly. A
    line of ``is_step`` goes level to the next amount's place and jumps there; ``has_zero`` keeps zero in sight.
    """

    title: str
    labels: Sequence[str]
    values: Sequence[Decimal]
    currency: str = ""
    is_line: bool = False
    places: Sequence[float] = ()
    is_step: bool = False
    has_zero: bool = False


class Bar(NamedTuple):
    """One bar: its tone, and its place and size in the drawing's units."""

    tone: str
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart's shapes in a box of `WIDTH` by `HEIGHT`: the points of a curve or bars, and where zero lies in sight."""

    title: str
    caption: str
    zero: str
    curve: str = ""
    bars: tuple[Bar, ...] = ()
    width: int = WIDTH
    height: int = HEIGHT


def drawing(chart: Chart) -> Drawing:
    """Return a chart's shapes, and its lowest, highest and last amount in words."""
    ends = [("lowest", min(chart.values)), ("highest", max(chart.values))]
    ends += [("at the end", chart.values[-1])] if chart.is_line else []
    words = ", ".join(f"{name} {amounts.money_text(amount, chart.currency)}" for name, amount in ends)
    caption = f"{chart.labels[0]} to {chart.labels[-1]}: {words}"
    values, places = [float(value) for value in chart.values], list(chart.places)
    if len(values) > POINTS_MAX:  # of each group of neighbours a curve's last, or the sum of bars
        size = -(-len(values) // POINTS_MAX)
        groups = [values[start : start + size] for start in range(0, len(values), size)]
        values = [group[-1] if chart.is_line else sum(group) for group in groups]
        places = places and [*places[size - 1 :: size], places[-1]][: len(values)]
    low, high = min(0.0, *values), max(0.0, *values)
    if chart.is_line and not chart.has_zero:  # what matters in a curve is how it moves, not how far above zero it is
        low, high = min(values), max(values)
    scale = HEIGHT / (high - low) if high > low else 0.0
    heights = [HEIGHT - (value - low) * scale for value in values]
    ground = HEIGHT - (0.0 - low) * scale
    zero = f"{ground:.2f}" if 0 <= ground <= HEIGHT else ""
    if chart.is_line:
        places = places or [number / max(1, len(heights) - 1) for number in range(len(heights))]
        points = list(zip(places, heights, strict=True))
        if chart.is_step:
            corners = [(point[0], before[1]) for before, point in pairwise(points)]
            points = [points[0], *chain.from_iterable(zip(corners, points[1:], strict=True))]
        curve = " ".join(f"{place * WIDTH:.2f},{height:.2f}" for place, height in points)
        return Drawing(chart.title, caption, zero, curve=curve)
    step = WIDTH / len(values)
    bars = tuple(
        Bar(
            "gain" if value > 0 else "loss",
            x=f"{(place + GAP_SHARE / 2) * step:.2f}",
            y=f"{min(height, ground):.2f}",
            width=f"{(1 - GAP_SHARE) * step:.2f}",
            height=f"{abs(height - ground):.2f}",
        )
        for place, (value, height) in enumerate(zip(values, heights, strict=True))
        if value
    )
    return Drawing(chart.title, caption, zero, bars=bars)


def spark(values: Sequence[Decimal]) -> Drawing | None:
    """Return a small curve that starts at zero, without words: the figures stand beside it. None of nothing."""
    return drawing(Chart("", ("", ""), [Decimal(0), *values], is_line=True)) if values else None


def histogram(title: str, steps: Sequence[DistributionStep], write: Callable[[Decimal | None], str]) -> Drawing | None:
    """Return the bars of a distribution, their tone by the side of zero that they lie on; None of nothing.

    ``write`` writes an end of a step for people.
    """
    if not steps:
        return None
    step, most = WIDTH / len(steps), max(row["trades"] for row in steps)
    bars = []
    for place, row in enumerate(steps):
        height = HEIGHT * row["trades"] / most
        below, at_least = row["below"], row["at_least"]
        tone = "loss" if below is not None and below <= 0 else "gain" if at_least is not None and at_least >= 0 else ""
        left, width = (place + GAP_SHARE / 2) * step, (1 - GAP_SHARE) * step
        sizes = (f"{size:.2f}" for size in (left, HEIGHT - height, width, height))
        bars.append(Bar(tone or ("loss" if at_least is None else "gain"), *sizes))
    first, last = steps[0], steps[-1]
    start = f"under {write(first['below'])}" if first["at_least"] is None else f"from {write(first['at_least'])}"
    end = f"over {write(last['at_least'])}" if last["below"] is None else f"below {write(last['below'])}"
    caption = f"{sum(row['trades'] for row in steps)} trades, {start} to {end}; at most {most} in a step"
    return Drawing(title, caption, f"{HEIGHT:.2f}", bars=tuple(bars))


class Dot(NamedTuple):
    """One trade of a scatter: its key, its tone, its place in the drawing's units, and its words."""

    pk: int
    tone: str
    x: str
    y: str
    words: str


@dataclass(frozen=True, slots=True)
class Scatter:
    """Dots in a box of `SCATTER_WIDTH` by `SCATTER_HEIGHT` from zero at the left and below; where its axes end."""

    dots: tuple[Dot, ...]
    x_end: str
    y_end: str
    width: int = SCATTER_WIDTH
    height: int = SCATTER_HEIGHT


def scatter(points: Sequence[ExcursionPoint], currency: str) -> Scatter | None:
    """Return trades by how far they went against their holder (right) and for him (up); None of nothing."""
    if not points:
        return None
    against, in_favour = max(-point.mae for point in points), max(point.mfe for point in points)

    def share(amount: Decimal, whole: Decimal) -> float:
        return float(amount / whole) if whole else 0.0

    dots = []
    for point in points:
        excursions = (("MAE", point.mae), ("MFE", point.mfe), ("P&L before charges", point.pnl))
        words = ", ".join(f"{name} {amounts.money_text(amount, currency, signed=True)}" for name, amount in excursions)
        x, y = share(-point.mae, against) * SCATTER_WIDTH, (1 - share(point.mfe, in_favour)) * SCATTER_HEIGHT
        dots.append(Dot(point.pk, amounts.tone(point.pnl), f"{x:.1f}", f"{y:.1f}", f"{point.trade_id}: {words}"))
    ends = (amounts.money_text(-against, currency, signed=True), amounts.money_text(in_favour, currency, signed=True))
    return Scatter(tuple(dots), *ends)


def sparkline(values: list[float], *, width: int) -> str:
    """Return amounts as a row of blocks for a terminal, low to high; the last of each stretch stands for it."""
    if not values:
        return ""
    size = min(width, len(values))
    lasts = [values[(place + 1) * len(values) // size - 1] for place in range(size)]
    low, high = min(lasts), max(lasts)
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[round((last - low) / (high - low) * steps) if high > low else 0] for last in lasts)
