"""Charts as SVG inside the page: no script, no style of their own; colours come from the page."""

from __future__ import annotations

from html import escape

from trading.management.report import Chart

WIDTH, HEIGHT = 1000, 100
# More than a screen is wide: beyond that, neighbours are drawn as one.
POINTS_MAX = 1000
GAP_SHARE = 0.2  # of a bar's width


def svg(chart: Chart) -> str:
    """Return the drawing, stretched to whatever place it gets; its text is in the caption beside it."""
    values = _thinned([float(value) for value in chart.values], is_line=chart.is_line)
    low, high = min(0.0, *values), max(0.0, *values)
    if chart.is_line:  # what matters in a curve is how it moves, not how far above zero it is
        low, high = min(values), max(values)
    scale = HEIGHT / (high - low) if high > low else 0.0
    heights = [HEIGHT - (value - low) * scale for value in values]
    zero = HEIGHT - (0.0 - low) * scale
    drawn = _line(heights) if chart.is_line else _bars(values, heights, zero)
    ground = f'<line x1="0" y1="{zero:.2f}" x2="{WIDTH}" y2="{zero:.2f}"/>' if 0 <= zero <= HEIGHT else ""
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(chart.title)}">{ground}{drawn}</svg>'
    )


def sparkline(values: list[float], *, width: int) -> str:
    """Return a row of blocks for a terminal, low to high; the last value of each stretch stands for it."""
    if not values:
        return ""
    size = min(width, len(values))
    picked = [values[(place + 1) * len(values) // size - 1] for place in range(size)]
    low, high = min(picked), max(picked)
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[round((value - low) / (high - low) * steps) if high > low else 0] for value in picked)


BLOCKS = "▁▂▃▄▅▆▇█"


def _line(heights: list[float]) -> str:
    step = WIDTH / max(1, len(heights) - 1)
    points = " ".join(f"{place * step:.2f},{height:.2f}" for place, height in enumerate(heights))
    return f'<polyline points="{points}"/>'


def _bars(values: list[float], heights: list[float], zero: float) -> str:
    step = WIDTH / len(values)
    return "".join(
        f'<rect class="{"gain" if value > 0 else "loss"}" x="{(place + GAP_SHARE / 2) * step:.2f}" '
        f'y="{min(height, zero):.2f}" width="{(1 - GAP_SHARE) * step:.2f}" height="{abs(height - zero):.2f}"/>'
        for place, (value, height) in enumerate(zip(values, heights, strict=True))
        if value
    )


def _thinned(values: list[float], *, is_line: bool) -> list[float]:
    if len(values) <= POINTS_MAX:
        return values
    size = -(-len(values) // POINTS_MAX)
    groups = [values[start : start + size] for start in range(0, len(values), size)]
    return [group[-1] if is_line else sum(group) for group in groups]
