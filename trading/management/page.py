"""A report as one page of HTML that needs nothing else: no script, no other file, no font.

It follows the reader's light or dark, fits a phone, and prints on paper.
"""

from __future__ import annotations

from html import escape

from trading.management.charts import svg
from trading.management.report import Chart, Report, Table, is_numeric, shown, tone

SHORT_MAX = 20  # rows of a table that stands on one printed page as a whole


def to_html(report: Report) -> str:
    """Return the page; all text in it is escaped."""
    charts = "\n".join(_figure(chart) for chart in report.charts if len(chart.values) > 1)
    body = "\n".join(_table(table) for table in report.tables)
    notes = "".join(f"<p>{escape(note)}</p>\n" for note in report.notes)
    return _PAGE.format(title=escape(report.title), charts=charts, body=body, notes=notes)


def _figure(chart: Chart) -> str:
    low, high, last = min(chart.values), max(chart.values), chart.values[-1]
    amounts = [("lowest", low), ("highest", high), *([("at the end", last)] if chart.is_line else [])]
    told = ", ".join(f"{name} {shown(value, chart.currency)}" for name, value in amounts)
    span = f"{chart.labels[0]} to {chart.labels[-1]}: {told}"
    return (
        f"<figure><figcaption><strong>{escape(chart.title)}</strong> {escape(span)}</figcaption>\n{svg(chart)}</figure>"
    )


def _table(table: Table) -> str:
    head = "".join(
        f'<th scope="col"{_css(table, number, None)}>{escape(title)}</th>' for number, title in enumerate(table.columns)
    )
    numeric = [is_numeric(table, number) for number in range(len(table.columns))]
    rows = "\n".join(
        f"<tr{_total_css(table, index)}>"
        + "".join(
            f"<td{_classes(numeric[number], tone(table, number, value))}>{escape(shown(value, table.currency))}</td>"
            for number, value in enumerate(row)
        )
        + "</tr>"
        for index, row in enumerate(table.rows)
    )
    caption = f"<caption>{escape(table.title)}</caption>"
    css = "scroll short" if len(table.rows) <= SHORT_MAX else "scroll"
    return (
        f'<div class="{css}" tabindex="0" role="region" aria-label="{escape(table.title)}">'
        f"<table>{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _css(table: Table, number: int, value: object) -> str:
    return _classes(is_numeric(table, number), tone(table, number, value))


def _classes(numeric: bool, colour: str) -> str:
    names = [*(["number"] if numeric else []), *filter(None, [colour])]
    return f' class="{" ".join(names)}"' if names else ""


def _total_css(table: Table, index: int) -> str:
    return ' class="total"' if table.last_is_total and index == len(table.rows) - 1 else ""


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ color-scheme: light; --ground: #fff; --ink: #14202b; --quiet: #56636f; --line: #dde3e8; --strong: #8a96a1;
  --accent: #0b5fa5; --gain: #0a6b3d; --loss: #b3261e; }}
@media (prefers-color-scheme: dark) {{ :root {{ color-scheme: dark; --ground: #0d1318; --ink: #e5ebf0;
  --quiet: #9aa8b4; --line: #26323c; --strong: #5b6b78; --accent: #7cbcf2; --gain: #5ed39a; --loss: #ff8f85; }} }}
* {{ box-sizing: border-box; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 2rem; max-width: 84rem; color: var(--ink);
  background: var(--ground); }}
h1 {{ font-size: 1.4rem; line-height: 1.25; margin: 0 0 1.5rem; overflow-wrap: anywhere; }}
.scroll {{ overflow-x: auto; margin: 0 0 2rem; }}
table {{ border-collapse: collapse; min-width: 50%; }}
caption {{ text-align: left; font-weight: 600; padding: .3rem 0; white-space: nowrap; }}
th, td {{ padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }}
th {{ color: var(--quiet); font-weight: 600; }}
th:first-child, td:first-child {{ padding-left: 0; }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
.gain {{ color: var(--gain); }}
.loss {{ color: var(--loss); }}
.total td {{ font-weight: 600; border-top: 2px solid var(--strong); }}
figure {{ margin: 0 0 2rem; }}
figcaption {{ color: var(--quiet); margin: 0 0 .4rem; }}
figcaption strong {{ color: var(--ink); display: block; }}
svg {{ display: block; width: 100%; height: 11rem; overflow: visible; }}
svg line {{ stroke: var(--strong); stroke-width: 1; vector-effect: non-scaling-stroke; }}
svg polyline {{ fill: none; stroke: var(--accent); stroke-width: 2; vector-effect: non-scaling-stroke;
  stroke-linejoin: round; }}
svg .gain {{ fill: var(--gain); }}
svg .loss {{ fill: var(--loss); }}
p {{ color: var(--quiet); }}
@media (max-width: 40rem) {{ body {{ padding: 1rem; }} svg {{ height: 8rem; }} }}
@media print {{ :root {{ color-scheme: light; --ground: #fff; --ink: #000; --quiet: #333; --line: #bbb;
  --strong: #666; --accent: #000; --gain: #0a6b3d; --loss: #b3261e; }}
  body {{ font-size: 9pt; padding: 0; max-width: none; }} .scroll {{ overflow: visible; }}
  .short {{ break-inside: avoid; }}
  tr, figure {{ break-inside: avoid; }} thead {{ display: table-header-group; }} th, td {{ padding: .15rem .4rem; }}
  @page {{ size: A4 landscape; margin: 12mm; }} }}
</style>
</head>
<body>
<h1>{title}</h1>
{charts}
{body}
{notes}</body>
</html>
"""
