"""docs/measurements.md, made from the schemas: `python -m velox_site.measurement_docs > docs/measurements.md`."""

from __future__ import annotations

import sys

from timeseries.measurements import MEASUREMENTS, MINUTES, Kind

HEAD = """\
# Measurements

Made from `timeseries/measurements.py` by `python -m velox_site.measurement_docs`; do not edit it.

Every point has its tags, three times in ns since 1970 UTC (`time`: its key, exchange time + n ns; `exchange_time`:
exactly as given; `received_time`: the recorder's clock), and the fields below. A field that a point has not is null.

- `manage.py query FILE` and `dm.query_sql` (embedded store): a view per measurement, one column per tag, time and
  field; a set of named numbers is a MAP. `SELECT symbol, count(*) FROM ticks WHERE time >= $since GROUP BY symbol`.
- `manage.py query FILE` and `dm.query_flux` (InfluxDB): a measurement each, tags as tags, fields as fields, `bucket` as
  a parameter; a set of named numbers is a field per name. An empty tag is `-`; in tags, texts and those names a percent
  sign is `%25`. The field `present` says in bits which fields the last write of a point had.
  `from(bucket: bucket) |> range(start: -1h) |> filter(fn: (r) => r._measurement == "ticks" and r._field == "close")`.

A question is broken off after 60 s (`manage.py query --timeout S`, `timeout=S`).

## Times in SQL

Times are integers; divide them before they become timestamps. DuckDB 2.0.0 rounds a `TIMESTAMP_NS` up wherever it needs
a `TIMESTAMP` (`date_trunc`, `time_bucket`, `extract`, a cast, `+ INTERVAL`): 09:15:59.9999995 counts in 09:16, and
`to_timestamp(time / 1e9)` loses the nanoseconds besides. One of no zone is answered as it stands, without `Z`. So the
minutes of a symbol, in UTC:

```sql
SELECT make_timestamp_ns(time // 60000000000 * 60000000000) AS minute,
       arg_min(close, time) AS open, max(close) AS high, min(close) AS low, arg_max(close, time) AS close,
       count(*) AS ticks
FROM ticks WHERE symbol = 'RELIANCE' GROUP BY minute ORDER BY minute
```

At the desk: add the zone's offset in nanoseconds first (India: 19,800 s), so that a day is a day at the desk:

```sql
SELECT make_timestamp_ns((time + 19800000000000) // 86400000000000 * 86400000000000)::DATE AS day, count(*) AS ticks
FROM ticks GROUP BY day ORDER BY day
```

Between two instants, half-open, and each point's full time as text:

```sql
SELECT make_timestamp_ns(time)::VARCHAR AS at, symbol, close
FROM ticks
WHERE time >= epoch_ns(TIMESTAMP_NS '2021-04-12 03:45:00') AND time < epoch_ns(TIMESTAMP_NS '2021-04-12 03:46:00')
ORDER BY time
```
"""
KINDS = {
    Kind.FLOAT: "64-bit float",
    Kind.INTEGER: "64-bit integer",
    Kind.TEXT: "text",
    Kind.NUMBERS: "a set of named 64-bit floats",
}


def markdown() -> str:
    """Return docs/measurements.md: a section per measurement, a row per field."""
    sections = [HEAD]
    for measurement in (*MEASUREMENTS.values(), MINUTES):
        tags = ", ".join(f"`{tag}`" for tag in measurement.series_tags)
        meaning = measurement.meaning[0].upper() + measurement.meaning[1:]
        lines = [f"## {measurement.name}", "", f"{meaning}. Tags: {tags}.", ""]
        lines += ["| field | type | unit | meaning |", "|---|---|---|---|"]
        lines += [f"| `{f.name}` | {KINDS[f.kind]} | {f.unit} | {f.meaning} |" for f in measurement.fields]
        sections.append("\n".join([*lines, ""]))
    return "\n".join(sections)


if __name__ == "__main__":
    sys.stdout.write(markdown())
