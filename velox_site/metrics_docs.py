"""docs/metrics.md, made from the table of series: `python -m velox_site.metrics_docs > docs/metrics.md`."""

from __future__ import annotations

import sys

from velox_site import desk  # noqa: F401  (first: it sets Django up)

# isort: split
from trading.metrics.series import COUNTER, SERIES

HEAD = """\
# Metrics

Made from `trading/metrics/series.py` by `python -m velox_site.metrics_docs`; do not edit it.

`/metrics` answers in Prometheus text, and in OpenMetrics where the scraper asks for it, to who sends the token of
`VELOX_METRICS_TOKEN` (or `VELOX_METRICS_TOKEN_FILE`) as a bearer; without that variable the address is 404. What
`prometheus.yml` needs:

```yaml
scrape_configs:
  - job_name: velox
    authorization: {credentials_file: /etc/prometheus/velox_token}
    static_configs: [{targets: ["localhost:8000"]}]
```

- The numbers are read at most once a second, by a thread of their own. A scrape waits one second for it and takes the
  last numbers otherwise: `time() - velox_seen_timestamp_seconds` is their age. Before the first ones it answers 503.
- What cannot be read is left out; `velox_part_state` names the part.
- Money is exact in the ledger and a float here: look a sum up in VELOX before you write it in a book.
- Never add two currencies, and no two accounts: one account's trades may stand in another, as a replay's do.
- Each web tells the whole ledger: where several are scraped take one by its `instance`, never their sum.
- A histogram counts the calls of every process of this data folder, those that have ended or were killed, too:
  `histogram_quantile(0.99, rate(velox_ledger_call_seconds_bucket[5m]))` is how long the slowest hundredth took.
- A series per strategy is there for those that realised something today, or hold something. A symbol stands on open
  positions alone, at most 100 of them; a source of ticks on at most 50 feeds, the oldest.

| series | kind | labels | meaning |
|---|---|---|---|
"""


def markdown() -> str:
    """Return the page, one row per series."""
    rows = [
        f"| `{series.name}{'_total' if series.kind == COUNTER else ''}` | {series.kind} | "
        f"{', '.join(series.labels) or '–'} | {series.meaning} |"
        for series in SERIES
    ]
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
