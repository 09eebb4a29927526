"""Charts of amounts: shapes for the SVG of a page, blocks for a line of the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from trading.management.report import Chart, cell_text

WIDTH, HEIGHT = 1000, 100
# More than a screen is wide: beyond that, neighbours are drawn as one.
POINTS_MAX = 1000
GAP_SHARE = 0.2  # of a bar's width
BLOCKS = "▁▂▃▄▅▆▇█"


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
    amounts = [("lowest", min(chart.values)), ("highest", max(chart.values))]
    amounts += [("at the end", chart.values[-1])] if chart.is_line else []
    words = ", ".join(f"{name} {cell_text(amount, chart.currency)}" for name, amount in amounts)
    caption = f"{chart.labels[0]} to {chart.labels[-1]}: {words}"
    values = [float(value) for value in chart.values]
    if len(values) > POINTS_MAX:  # of each group of neighbours a curve's last, or the sum of bars
        size = -(-len(values) // POINTS_MAX)
        groups = [values[start : start + size] for start in range(0, len(values), size)]
        values = [group[-1] if chart.is_line else sum(group) for group in groups]
    low, high = min(0.0, *values), max(0.0, *values)
    if chart.is_line:  # what matters in a curve is how it moves, not how far above zero it is
        low, high = min(values), max(values)
    scale = HEIGHT / (high - low) if high > low else 0.0
    heights = [HEIGHT - (value - low) * scale for value in values]
    ground = HEIGHT - (0.0 - low) * scale
    zero = f"{ground:.2f}" if 0 <= ground <= HEIGHT else ""
    if chart.is_line:
        step = WIDTH / max(1, len(heights) - 1)
        curve = " ".join(f"{place * step:.2f},{height:.2f}" for place, height in enumerate(heights))
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


def sparkline(values: list[float], *, width: int) -> str:
    """Return amounts as a row of blocks for a terminal, low to high; the last of each stretch stands for it."""
    if not values:
        return ""
    size = min(width, len(values))
    lasts = [values[(place + 1) * len(values) // size - 1] for place in range(size)]
    low, high = min(lasts), max(lasts)
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[round((last - low) / (high - low) * steps) if high > low else 0] for last in lasts)
