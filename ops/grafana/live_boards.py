"""The dashboards of what is now: the desk, its telemetry, its ledger. Most panels ask Prometheus: every desk has it."""

from __future__ import annotations

from collections.abc import Mapping

from ops.grafana.parts import (
    ACCOUNT,
    INSTANCE,
    PROMETHEUS,
    Dashboard,
    Json,
    Panel,
    Query,
    Row,
    Variable,
    flux,
    promql,
    promql_now,
    sql,
    sql_rows,
)

OF_ACCOUNT = 'account="$account"'
BY_POSITION = "account, currency, strategy, symbol"
CHOOSE_ACCOUNT = Variable(ACCOUNT, Query(PROMETHEUS, "label_values(velox_journal_rows_total, account)"))
CHOOSE_WEB = Variable(INSTANCE, Query(PROMETHEUS, "label_values(velox_seen_timestamp_seconds, instance)"), "Web")
MONEY, SECONDS, BYTES, WHEN = "none", "s", "bytes", "dateTimeAsIso"
FLOATS = "A float, as all of Prometheus: look a sum up in VELOX before it goes into a book."
BARS: Mapping[str, Json] = {"drawStyle": "bars", "fillOpacity": 60, "lineWidth": 0}
STEPS: Mapping[str, Json] = {"drawStyle": "line", "lineInterpolation": "stepAfter", "fillOpacity": 8, "lineWidth": 1}


def _sum_stat(title: str, series: str, description: str) -> Panel:
    text = f"sum by (account, currency) ({series}{{{OF_ACCOUNT}}})"
    return Panel(title, "stat", (promql_now(text, "{{currency}}"),), description, width=4, height=4)


def _stat(title: str, text: str, unit: str, description: str = "") -> Panel:
    return Panel(title, "stat", (promql_now(text, "now"),), description, width=4, height=4, units={"": unit})


def _line(title: str, *queries: Query, unit: str = "none", width: int = 12, description: str = "") -> Panel:
    return Panel(title, "timeseries", queries, description, width=width, units={"": unit})


def _slowest(series: str, legend: str, by: str = "") -> Query:
    """Return how long the slowest hundredth of a histogram's calls took, over five minutes."""
    labels = ", ".join(filter(None, (by, "le")))
    return promql(f"histogram_quantile(0.99, sum by ({labels}) (rate({series}_bucket[5m])))", legend)


PARTS = Panel(
    "Parts",
    "table",
    (promql_now("velox_part_state == 1"),),
    "Each part's state; what is off is not used by this desk.",
    width=8,
    columns={"part": "Part", "state": "State"},
)
FAULTS = Panel(
    "Faults",
    "table",
    (promql_now("velox_part_fault"),),
    "Empty is well. docs/faults.md has the cure of each.",
    width=8,
    columns={"part": "Part", "code": "Fault"},
)

EQUITY = Panel(
    "Equity",
    "timeseries",
    (sql("SELECT day_at AS time, equity FROM equity_days WHERE account = ${account:sqlstring} "
         "AND $__timeFilter(day_at) ORDER BY 1"),),
    "Capital and realised P&L after known charges, at the end of each day.",
    back="90d",
    style=STEPS,
)  # fmt: skip
DRAWDOWN = Panel(
    "Drawdown",
    "timeseries",
    (sql("SELECT day_at AS time, drawdown FROM equity_days WHERE account = ${account:sqlstring} "
         "AND $__timeFilter(day_at) ORDER BY 1"),),
    "How far equity at a day's end is below its highest so far; capital moves both.",
    back="90d",
    style=STEPS,
)  # fmt: skip
OPEN_POSITIONS = Panel(
    "Open trades in the ledger",
    "table",
    (sql_rows("""
SELECT strategy AS "Strategy", symbol AS "Symbol", side AS "Side", quantity AS "Quantity",
  ROUND(cost / quantity, 4) AS "Cost of one", stop AS "Stop", target AS "Target", gross_pnl AS "Realised, gross",
  opened_at AS "Opened", EXTRACT(EPOCH FROM now() - opened_at) AS "Age", currency AS "Currency"
FROM open_positions WHERE account = ${account:sqlstring} ORDER BY opened_at
"""),),
    "With the exact amounts of the ledger.",
    width=24,
    units={"Age": SECONDS},
)  # fmt: skip

DESK = Dashboard(
    "velox-desk",
    "VELOX: desk live",
    "One account now: P&L, open positions, equity and drawdown.",
    (
        _sum_stat("Realised today", "velox_pnl_realised", f"After known charges. {FLOATS}"),
        _sum_stat("Unrealised", "velox_pnl_unrealised", f"Of the open trades with a price, before charges. {FLOATS}"),
        _sum_stat("Open risk", "velox_risk_open", "From the last prices to the stops, where there are stops."),
        _sum_stat("Open trades", "velox_positions_open", "Trades that are open now."),
        _sum_stat("Without stop", "velox_positions_without_stop", "Open trades that have no stop."),
        _stat("Age of the numbers", "time() - velox_seen_timestamp_seconds", SECONDS, "Beyond 60 s a part hangs."),
        Panel(
            "Open positions",
            "table",
            (
                promql_now(f"sum by ({BY_POSITION}) (velox_position_pnl_unrealised{{{OF_ACCOUNT}}})"),
                promql_now(
                    f"time() - min by ({BY_POSITION}) (velox_position_opened_timestamp_seconds{{{OF_ACCOUNT}}})"
                ),
                promql_now(f"max by ({BY_POSITION}) (velox_position_tick_age_seconds{{{OF_ACCOUNT}}})"),
            ),
            f"The largest ones; those without a price are not among them. {FLOATS}",
            width=16,
            columns={
                "strategy": "Strategy",
                "symbol": "Symbol",
                "Value #A": "P&L",
                "currency": "Currency",
                "Value #B": "Age",
                "Value #C": "Last tick",
            },
            units={"Age": SECONDS, "Last tick": SECONDS},
        ),
        PARTS,
        _line(
            "P&L today",
            promql(f"sum by (account, currency) (velox_pnl_realised{{{OF_ACCOUNT}}})", "realised {{currency}}"),
            promql(f"sum by (account, currency) (velox_pnl_unrealised{{{OF_ACCOUNT}}})", "unrealised {{currency}}"),
            description=FLOATS,
        ),
        _line(
            "Realised by strategy",
            promql(f"velox_pnl_realised{{{OF_ACCOUNT}}}", "{{strategy}} {{currency}}"),
            description=FLOATS,
        ),
        Row("From the ledger on PostgreSQL"),
        EQUITY,
        DRAWDOWN,
        OPEN_POSITIONS,
    ),
    (CHOOSE_ACCOUNT, CHOOSE_WEB),
    refresh="5s",
)

TELEMETRY = Dashboard(
    "velox-telemetry",
    "VELOX: telemetry health",
    "Where accepted points are, what waits, what was refused, how old the feeds are.",
    (
        _stat(
            "Balance", "velox_points_balance", "short", "Accepted points that are nowhere: 0, or something was lost."
        ),
        _stat("Oldest that waits", "velox_points_oldest_waiting_seconds", SECONDS),
        _stat("Not on disk yet", "velox_points_unsynced_seconds", SECONDS, "What a power loss would cost now."),
        _stat("Companion", "velox_companion_up", "none", "1 while one works on this data folder."),
        _stat("Spool", "velox_spool_used_bytes / velox_spool_limit_bytes", "percentunit", "Of what it may hold."),
        _stat("Disk", "velox_disk_free_bytes", BYTES, "Free room of the data folder."),
        _line("Accepted a second", promql("rate(velox_points_accepted_total[1m])", "points")),
        _line("Where the points are", promql("velox_points", "{{where}}")),
        _line("Refused", promql("increase(velox_records_refused_total[5m])", "{{reason}}"), width=8),
        _line("Age of each feed", promql("velox_feed_age_seconds", "{{source}}"), unit=SECONDS, width=8),
        _line("Session", promql("velox_session_open", "{{exchange}}"), width=8, description="1 while it trades."),
        _line("Latency of the parts", promql("velox_part_latency_seconds", "{{part}}"), unit=SECONDS, width=8),
        _line(
            "Slowest hundredth",
            _slowest("velox_points_read_seconds", "readings"),
            _slowest("velox_shipping_seconds", "shipping"),
            _slowest("velox_request_seconds", "requests: {{kind}}", "kind"),
            unit=SECONDS,
            width=8,
            description="Of readings by strategies, slices shipped, pages and answers to programs, over five minutes.",
        ),
        _line(
            "Exchange time ahead of each feed",
            promql("velox_feed_exchange_ahead_seconds", "{{source}}"),
            unit=SECONDS,
            width=8,
            description="Of its last ticks against their arrival; far from 0 a clock or the feed is late.",
        ),
        _line(
            "Worker and beat were there",
            promql("velox_task_age_seconds", "{{task}}"),
            promql("velox_task_finished_age_seconds", "a task ended"),
            unit=SECONDS,
            width=8,
            description="Seconds ago. Empty without a broker.",
        ),
        _line(
            "Kafka: behind",
            promql("velox_kafka_behind_seconds", "{{topic}} {{partition}}"),
            unit=SECONDS,
            width=8,
            description="How old the last recorded message of each partition is, while there are newer ones.",
        ),
        _line(
            "Kafka: not recorded yet",
            promql("velox_kafka_lag_messages", "{{topic}} {{partition}}"),
            width=8,
            description="Messages of each partition. Empty without consumers.",
        ),
        PARTS,
        FAULTS,
        Row("From InfluxDB 2"),
        Panel(
            "Points of the account in the store",
            "timeseries",
            (
                flux("""
from(bucket: v.defaultBucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r.account == account and r._field == "received_time")
  |> group(columns: ["_measurement"])
  |> aggregateWindow(every: v.windowPeriod, fn: count, createEmpty: false)
"""),
            ),
            "By measurement and window of time.",
            width=24,
            style=BARS,
        ),
    ),
    (CHOOSE_ACCOUNT, CHOOSE_WEB),
)

LEDGER = Dashboard(
    "velox-ledger",
    "VELOX: ledger health",
    "Whether the books can be written, follow what happened, and are backed up.",
    (
        _stat("Rows of the journal", f"velox_journal_rows_total{{{OF_ACCOUNT}}}", "short", "Of all time."),
        _stat("Newest backup", "time() - velox_backup_newest_timestamp_seconds", SECONDS, "How old it is."),
        _stat("Waits for a backup", "time() - velox_backup_waiting_since_timestamp_seconds", SECONDS, "Empty is well."),
        _sum_stat("Closed today", "velox_trades_closed", "Trades."),
        _sum_stat("Charges unknown", "velox_trades_without_charges", "Of the trades closed today."),
        _stat("Reading the numbers", "velox_reading_seconds", SECONDS, "How long one reading of /metrics took."),
        _line("Facts a minute", promql(f"rate(velox_journal_rows_total{{{OF_ACCOUNT}}}[5m]) * 60", "rows")),
        _line(
            "Latency of the ledger and what follows it",
            promql('velox_part_latency_seconds{part=~"ledger|intake|follower|hot"}', "{{part}}"),
            unit=SECONDS,
        ),
        _line(
            "Slowest hundredth of the ledger's calls",
            _slowest("velox_ledger_call_seconds", "{{kind}}", "kind"),
            unit=SECONDS,
            description="How long strategies waited, over five minutes.",
        ),
        _line(
            "Behind the ledger",
            promql("velox_facts_waiting", "facts that wait for it"),
            promql(f"velox_follower_rows_behind{{{OF_ACCOUNT}}}", "rows that are no points"),
        ),
        _stat("Write-ahead log", "velox_ledger_wal_bytes", BYTES, "Of SQLite. It grows where a reader never ends."),
        _stat("File is whole", "velox_ledger_whole", "none", "1 where SQLite's last check found it so."),
        _stat("File checked", "time() - velox_ledger_checked_timestamp_seconds", SECONDS, "How long ago; once a day."),
        _stat("Database's clock", "velox_database_clock_ahead_seconds", SECONDS, "Ahead of this machine's."),
        _stat(
            "Standbys missing",
            "velox_ledger_standbys_needed - velox_ledger_standbys",
            "none",
            "Of PostgreSQL, which each commit waits for. 0 or less is well.",
        ),
        _stat("Log archived", "time() - velox_ledger_archived_timestamp_seconds", SECONDS, "How long ago, if it is."),
        Panel(
            "In its state since",
            "table",
            (promql_now("time() - velox_part_state_since_timestamp_seconds"),),
            width=8,
            columns={"part": "Part", "Value": "For"},
            units={"For": SECONDS},
        ),
        PARTS,
        FAULTS,
        Row("From the ledger on PostgreSQL"),
        Panel(
            "The account's books",
            "table",
            (sql_rows("""
SELECT account AS "Account", book AS "Book", currency AS "Currency", journal_rows AS "Journal rows",
  recorded_at AS "Last recorded", closed_trades AS "Closed", open_trades AS "Open", void_trades AS "Void",
  open_without_stop AS "Open without stop", closed_without_charges AS "Closed without charges"
FROM books WHERE account = ${account:sqlstring}
"""),),
            width=24,
            height=4,
        ),
    ),
    (CHOOSE_ACCOUNT, CHOOSE_WEB),
)  # fmt: skip
