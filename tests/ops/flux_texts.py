"""The Flux of the dashboards, written out as Grafana does before it asks."""

from __future__ import annotations

from ops.grafana.__main__ import DASHBOARDS
from ops.grafana.parts import INFLUX

CHOSEN = {"account": "main", "strategy": "ema 2%", "symbol": "M&M"}
OF_INFLUX = [
    (f"{board.uid}: {title} {number}", query.text)
    for board in DASHBOARDS
    for number, (title, query) in enumerate(board.queries(), 1)
    if query.source is INFLUX
]


def written_out(text: str, *, bucket: str = "velox", first: str = "-1h", last: str = "now()") -> str:
    """Return a text with its variables and `v` written out, as Grafana's server does it."""
    for name, value in CHOSEN.items():
        text = text.replace(f"${{{name}:doublequote}}", f'"{value}"')
    assert "$" not in text, text
    v = {"defaultBucket": f'"{bucket}"', "timeRangeStart": first, "timeRangeStop": last, "windowPeriod": "1m0s"}
    for name, value in v.items():
        text = text.replace(f"v.{name}", value)
    return text
