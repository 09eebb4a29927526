"""The dashboards of how trading went: strategies side by side, one strategy, one symbol. Most of them is the ledger."""

from __future__ import annotations

from ops.grafana.live_boards import (
    BARS,
    CHOOSE_ACCOUNT,
    CHOOSE_WEB,
    DRAWDOWN,
    EQUITY,
    FLOATS,
    OF_ACCOUNT,
    SECONDS,
    STEPS,
)
from ops.grafana.parts import (
    STRATEGY,
    SYMBOL,
    Dashboard,
    Marks,
    Panel,
    Row,
    Variable,
    flux,
    promql_now,
    sql,
    sql_rows,
)

WHERE = "account = ${account:sqlstring}"
IN_TIME = f"{WHERE} AND $__timeFilter(day_at)"
ONE_STRATEGY, ONE_SYMBOL = "strategy = ${strategy:sqlstring}", "symbol = ${symbol:sqlstring}"


def side_by_side(part: str, where: str) -> str:
    """Return the SQL of a row of figures per strategy or symbol. Days are those of the exits, as in VELOX's reports."""
    return f"""
WITH changes AS (
  SELECT {part}, day, at, SUM(SUM(pnl)) OVER (PARTITION BY {part} ORDER BY day, at) AS so_far
  FROM exits WHERE {where} GROUP BY {part}, day, at
), falls AS (
  SELECT {part}, GREATEST(MAX(so_far) OVER (PARTITION BY {part} ORDER BY day, at), 0) - so_far AS fall FROM changes
), drawdowns AS (
  SELECT {part}, MAX(fall) AS drawdown FROM falls GROUP BY 1
), money AS (
  SELECT {part}, currency, SUM(pnl) AS pnl, SUM(gross_pnl) AS gross_pnl, SUM(COALESCE(charges, 0)) AS charges
  FROM exits WHERE {where} GROUP BY 1, 2
), trades AS (
  SELECT {part}, COUNT(*) AS trades, COUNT(*) FILTER (WHERE pnl > 0) AS wins, AVG(pnl) AS expectancy,
    AVG(r_multiple) AS r FROM closed_trades WHERE {where} GROUP BY 1
)
SELECT {part} AS "{part.capitalize()}", COALESCE(trades, 0) AS "Trades", pnl AS "P&L", gross_pnl AS "Gross",
  charges AS "Charges", 100.0 * wins / NULLIF(trades, 0) AS "Won", ROUND(expectancy, 8) AS "Expectancy", r AS "R",
  drawdown AS "Drawdown", currency AS "Currency"
FROM money LEFT JOIN drawdowns USING ({part}) LEFT JOIN trades USING ({part}) ORDER BY 1
"""


def _curves(where: str) -> str:
    return (
        "SELECT day_at AS time, strategy AS metric, "
        "SUM(SUM(pnl)) OVER (PARTITION BY strategy ORDER BY day_at) AS pnl "
        f"FROM exits WHERE {where} GROUP BY 1, 2 ORDER BY 1"
    )


def _drawdowns(where: str) -> str:
    return f"""
SELECT time, metric, GREATEST(MAX(so_far) OVER (PARTITION BY metric ORDER BY time), 0) - so_far AS drawdown
FROM (SELECT day_at AS time, strategy AS metric, SUM(SUM(pnl)) OVER (PARTITION BY strategy ORDER BY day_at) AS so_far
  FROM exits WHERE {where} GROUP BY 1, 2) curve ORDER BY 1
"""


FIGURE_UNITS = {"Won": "percent"}
ALONE = "Drawdown at each day's end; that of the table is from exit to exit, so it is deeper."

STRATEGIES = Dashboard(
    "velox-strategies",
    "VELOX: strategies side by side",
    "The strategies of one account over the time shown, by the days of their exits.",
    (
        Panel(
            "Side by side",
            "table",
            (sql_rows(side_by_side("strategy", IN_TIME)),),
            "Figures as in `manage.py strategy_report`; R is the expectancy of the trades with an initial risk.",
            width=24,
            units=FIGURE_UNITS,
        ),
        Panel("P&L so far", "timeseries", (sql(_curves(IN_TIME)),), "After known charges.", width=24, style=STEPS),
        Panel("Drawdown", "timeseries", (sql(_drawdowns(IN_TIME)),), ALONE, style=STEPS),
        Panel(
            "P&L of the day",
            "timeseries",
            (sql(f"SELECT day_at AS time, strategy AS metric, SUM(pnl) AS pnl FROM exits WHERE {IN_TIME} "
                 "GROUP BY 1, 2 ORDER BY 1"),),
            "After known charges.",
            style=BARS,
        ),
        EQUITY,
        DRAWDOWN,
        Row("Today, from Prometheus"),
        Panel(
            "Today",
            "table",
            tuple(
                promql_now(f"sum by (account, currency, strategy) ({series}{{{OF_ACCOUNT}}})")
                for series in ("velox_pnl_realised", "velox_pnl_unrealised", "velox_positions_open", "velox_risk_open")
            ),
            FLOATS,
            width=24,
            columns={
                "strategy": "Strategy",
                "Value #A": "Realised",
                "Value #B": "Unrealised",
                "Value #C": "Open",
                "Value #D": "Open risk",
                "currency": "Currency",
            },
        ),
    ),
    (CHOOSE_ACCOUNT, CHOOSE_WEB),
    since="now-90d/d",
    refresh="1m",
)  # fmt: skip

ONE_STRATEGY_IN_TIME = f"{IN_TIME} AND {ONE_STRATEGY}"
STRATEGY_BOARD = Dashboard(
    "velox-strategy",
    "VELOX: one strategy",
    "One strategy of one account over the time shown. Needs the ledger on PostgreSQL.",
    (
        Panel(
            "Figures",
            "table",
            (sql_rows(side_by_side("strategy", ONE_STRATEGY_IN_TIME)),),
            width=24,
            height=4,
            units=FIGURE_UNITS,
        ),
        Panel("P&L so far", "timeseries", (sql(_curves(ONE_STRATEGY_IN_TIME)),), width=12, style=STEPS),
        Panel("Drawdown", "timeseries", (sql(_drawdowns(ONE_STRATEGY_IN_TIME)),), ALONE, width=12, style=STEPS),
        Panel(
            "By symbol",
            "table",
            (sql_rows(side_by_side("symbol", ONE_STRATEGY_IN_TIME)),),
            width=24,
            units=FIGURE_UNITS,
        ),
        Panel(
            "Closed trades",
            "table",
            (sql_rows(f"""
SELECT closed_at AS "Closed", symbol AS "Symbol", side AS "Side", quantity AS "Quantity", pnl AS "P&L",
  r_multiple AS "R", EXTRACT(EPOCH FROM closed_at - opened_at) AS "Held", exit_reason AS "Why", trade_id AS "Trade"
FROM closed_trades WHERE {ONE_STRATEGY_IN_TIME} ORDER BY closed_at DESC LIMIT 500
"""),),
            "The newest 500.",
            width=24,
            units={"Held": SECONDS},
        ),
        Row("From InfluxDB 2"),
        Panel(
            "The day so far",
            "timeseries",
            (flux("""
from(bucket: v.defaultBucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "strategy_metrics" and r.account == account)
  |> filter(fn: (r) => r.strategy == strategy and r._field == "day_pnl")
  |> aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: false)
""", STRATEGY),),
            "P&L of the strategy's day at each exit, as it was recorded.",
            style=STEPS,
        ),
        Panel(
            "Open P&L",
            "timeseries",
            (flux("""
from(bucket: v.defaultBucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "position_snapshots" and r.account == account)
  |> filter(fn: (r) => r.strategy == strategy and r._field == "pnl")
  |> group(columns: ["symbol"])
  |> sort(columns: ["_time"])
  |> aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: false)
""", STRATEGY),),
            "Of its positions, where it records snapshots.",
        ),
    ),
    (
        CHOOSE_ACCOUNT,
        Variable(STRATEGY, sql_rows(f"SELECT DISTINCT strategy FROM closed_trades WHERE {WHERE} ORDER BY 1")),
    ),
    since="now-90d/d",
    refresh="1m",
)  # fmt: skip

ONE_SYMBOL_NOW = f"{WHERE} AND {ONE_SYMBOL} AND $__timeFilter(at)"
SYMBOL_BOARD = Dashboard(
    "velox-symbol",
    "VELOX: one symbol",
    "One symbol of one account: prices, executions and stops. Prices need InfluxDB 2, the rest PostgreSQL.",
    (
        Panel(
            "Price",
            "timeseries",
            (
                flux("""
from(bucket: v.defaultBucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "ticks" and r.account == account)
  |> filter(fn: (r) => r.symbol == symbol and r._field == "close")
  |> group(columns: ["source"])
  |> aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: false)
""", SYMBOL),
                flux("""
from(bucket: v.defaultBucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "trailing_sl" and r.account == account)
  |> filter(fn: (r) => r.symbol == symbol and r._field == "stop_price")
  |> group(columns: ["strategy"])
  |> sort(columns: ["_time"])
""", SYMBOL),
            ),
            "Last prices by source, and trailing stops by strategy. Executions and stops are marked on it.",
            width=24,
            height=12,
        ),
        Panel(
            "Executions",
            "table",
            (sql_rows(f"""
SELECT at AS "Time", strategy AS "Strategy", role AS "Role", side AS "Side", quantity AS "Quantity", price AS "Price",
  trade_id AS "Trade" FROM executions WHERE {ONE_SYMBOL_NOW} ORDER BY at DESC LIMIT 500
"""),),
            "As corrections have left them; the newest 500.",
        ),
        Panel(
            "Stops",
            "table",
            (sql_rows(f"""
SELECT at AS "Time", strategy AS "Strategy", price AS "Stop", method AS "Method", trade_id AS "Trade"
FROM stops WHERE {ONE_SYMBOL_NOW} ORDER BY at DESC LIMIT 500
"""),),
            "The newest 500, the first one of each trade among them.",
        ),
        Panel(
            "By strategy",
            "table",
            (sql_rows(side_by_side("strategy", f"{IN_TIME} AND {ONE_SYMBOL}")),),
            "Of the exits of the days shown.",
            width=24,
            units=FIGURE_UNITS,
        ),
    ),
    (
        CHOOSE_ACCOUNT,
        Variable(SYMBOL, sql_rows(f"SELECT DISTINCT symbol FROM executions WHERE {WHERE} ORDER BY 1")),
    ),
    marks=(
        Marks(
            "Executions",
            sql_rows(f"""
SELECT at AS time, lower(role) AS tags,
  side || ' ' || trim_scale(quantity) || ' at ' || trim_scale(price) || ' (' || strategy || ')' AS text
FROM executions WHERE {ONE_SYMBOL_NOW} ORDER BY at LIMIT 1000
"""),
            "blue",
        ),
        Marks(
            "Stops",
            sql_rows(f"""
SELECT at AS time, 'Stop ' || trim_scale(price) || ' (' || strategy || ')' AS text, method AS tags
FROM stops WHERE {ONE_SYMBOL_NOW} ORDER BY at LIMIT 1000
"""),
            "orange",
        ),
    ),
    since="now-7d/d",
    refresh="30s",
)  # fmt: skip
