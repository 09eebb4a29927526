"""The Flux of the dashboards, written out as Grafana does before it asks."""

from __future__ import annotations

from ops.grafana.__main__ import DASHBOARDS
from ops.grafana.parts import INFLUX

CHOSEN = {"account": "main", "strategy": "ema cross", "symbol": "M&M"}
OF_INFLUX = [
    (f"{board.uid}: {title} {number}", query.text)
    for board in DASHBOARDS
    for number, (title, query) in enumerate(board.queries(), 1)
    if query.source is INFLUX
]


def written_out(text: str, *, bucket: str = "velox", first: str = "-1h", last: str = "now()") -> str:
    """Return a text with its variables, and with what Grafana calls `v`."""
    for name, value in CHOSEN.items():
        text = text.replace(f"${{{name}:doublequote}}", f'"{value}"')
    assert "$" not in text, text
    v = f'defaultBucket: "{bucket}", timeRangeStart: {first}, timeRangeStop: {last}, windowPeriod: 1m'
    return f"option v = {{{v}}}\n{text}\n"
