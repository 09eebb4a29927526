"""Every series of `/metrics`: its name, kind, labels and meaning. `docs/metrics.md` is made from this table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

GAUGE, COUNTER, HISTOGRAM = "gauge", "counter", "histogram"
COUNT, SUM = "count", "sum"
LabelledNumber = tuple[tuple[str, ...], float]  # values of the labels, in their order, and the number


class MetricSeries(NamedTuple):
    """One series as Prometheus names it, the unit last; a counter's name is written with ``_total`` behind it.

    The samples of a histogram have one more value behind those of the labels: a bucket's bound, or `COUNT` or `SUM`.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    def filled(self, samples: Iterable[LabelledNumber]) -> Metric:
        """Return the series with its samples."""
        if self.kind != HISTOGRAM:
            family = CounterMetricFamily if self.kind == COUNTER else GaugeMetricFamily
            numbers = family(self.name, self.meaning, labels=self.labels)
            for values, number in samples:
                numbers.add_metric(values, number)
            return numbers
        histogram = Metric(self.name, self.meaning, HISTOGRAM)
        for (*labels, place), number in samples:
            named = dict(zip(self.labels, labels, strict=True))
            if place in (COUNT, SUM):
                histogram.add_sample(f"{self.name}_{place}", named, number)
            else:
                histogram.add_sample(f"{self.name}_bucket", {**named, "le": place}, number)
        return histogram


@dataclass(frozen=True, slots=True)
class MetricReading:
    """One series as it was read at one moment; without samples it is left out of the answer."""

    series: MetricSeries
    samples: list[LabelledNumber]


_PART = ("part",)
_ACCOUNT = ("account", "currency")
_STRATEGY = (*_ACCOUNT, "strategy")
_POSITION = (*_STRATEGY, "symbol")

LEDGER = MetricSeries(
    "velox_ledger_info", GAUGE, ("database", "version"), "Always 1; says which database holds the ledger."
)
LEDGER_LOG = MetricSeries(
    "velox_ledger_wal_bytes", GAUGE, (), "Size of SQLite's write-ahead log, which commits go to first."
)
LEDGER_WHOLE = MetricSeries(
    "velox_ledger_whole", GAUGE, (), "1 where SQLite's last check of the ledger's file found it whole, else 0."
)
LEDGER_CHECKED = MetricSeries(
    "velox_ledger_checked_timestamp_seconds", GAUGE, (), "When that check was made; it is once a day."
)
STANDBYS_NEEDED = MetricSeries(
    "velox_ledger_standbys_needed", GAUGE, (), "Standbys of PostgreSQL that must have each commit."
)
STANDBYS = MetricSeries("velox_ledger_standbys", GAUGE, (), "Those of them that are there and follow.")
ARCHIVED = MetricSeries(
    "velox_ledger_archived_timestamp_seconds", GAUGE, (), "When PostgreSQL archived a file of its log last."
)
SEEN = MetricSeries(
    "velox_seen_timestamp_seconds", GAUGE, (), "When these numbers were read. A part that hangs lets them grow old."
)
READING = MetricSeries("velox_reading_seconds", GAUGE, (), "How long it took to read them.")

PART_STATE = MetricSeries(
    "velox_part_state", GAUGE, ("part", "state"), "1 for the state that a part is in (ok, degraded, down, off), else 0."
)
PART_FAULT = MetricSeries(
    "velox_part_fault", GAUGE, ("part", "code"), "Always 1; the fault that a part has, by its code in faults.md."
)
PART_SINCE = MetricSeries(
    "velox_part_state_since_timestamp_seconds", GAUGE, _PART, "Since when a part is in its state."
)
PART_LATENCY = MetricSeries("velox_part_latency_seconds", GAUGE, _PART, "How long a part that is used took to answer.")

ACCEPTED = MetricSeries("velox_points_accepted", COUNTER, (), "Points that a recorder accepted, of all time.")
POINTS = MetricSeries(
    "velox_points",
    GAUGE,
    ("where",),
    "Where the accepted points are: stored, spooled (they wait), dead_lettered, expired, damaged, cleared.",
)
BALANCE = MetricSeries("velox_points_balance", GAUGE, (), "Accepted points that are nowhere: 0, or something was lost.")
OLDEST = MetricSeries(
    "velox_points_oldest_waiting_seconds", GAUGE, (), "Age of the oldest point that waits; 0 without any."
)
UNSYNCED = MetricSeries(
    "velox_points_unsynced_seconds", GAUGE, (), "What a power loss would cost now, in seconds of records."
)
REFUSED = MetricSeries(
    "velox_records_refused",
    COUNTER,
    ("reason",),
    "Records that storage faults cost: spool_full, spool_failed, spool_removed.",
)
FEED_AGE = MetricSeries(
    "velox_feed_age_seconds", GAUGE, ("source",), "Age of the last tick of each source being recorded."
)
KAFKA_LAG = MetricSeries(
    "velox_kafka_lag_messages", GAUGE, ("topic", "partition"), "Messages of a partition that are not recorded yet."
)
KAFKA_BEHIND = MetricSeries(
    "velox_kafka_behind_seconds", GAUGE, ("topic", "partition"),
    "Age of the newest recorded message of a partition while others wait, else 0.",
)  # fmt: skip
FEED_AHEAD = MetricSeries(
    "velox_feed_exchange_ahead_seconds",
    GAUGE,
    ("source",),
    "How far the freshest exchange time of a source's last ticks is ahead of their arrival; negative: behind it.",
)
FOLLOWER_ROWS = MetricSeries(
    "velox_follower_rows_behind", GAUGE, ("account",), "Rows of an account's journal that are no points yet."
)
FOLLOWER_SECONDS = MetricSeries(
    "velox_follower_behind_seconds", GAUGE, ("account",), "Age of the oldest of these rows."
)
FACTS_WAITING = MetricSeries("velox_facts_waiting", GAUGE, (), "Facts in the intake that wait for the ledger.")
DATABASE_AHEAD = MetricSeries(
    "velox_database_clock_ahead_seconds",
    GAUGE,
    (),
    "How far the clock of the ledger's server is ahead of this machine's.",
)
SESSION_OPEN = MetricSeries("velox_session_open", GAUGE, ("exchange",), "1 while the exchange trades, else 0.")

DISK_FREE = MetricSeries("velox_disk_free_bytes", GAUGE, (), "Free room on the disk of the data folder.")
SPOOL_USED = MetricSeries("velox_spool_used_bytes", GAUGE, (), "What the spool holds.")
SPOOL_LIMIT = MetricSeries("velox_spool_limit_bytes", GAUGE, (), "What the spool may hold.")
COMPANION = MetricSeries("velox_companion_up", GAUGE, (), "1 while a companion works on this data folder, else 0.")
TASK_AGE = MetricSeries("velox_task_age_seconds", GAUGE, ("task",), "Since when worker or beat has not shown itself.")
TASK_FINISHED = MetricSeries("velox_task_finished_age_seconds", GAUGE, (), "Since when no worker has finished a task.")
BACKUP_NEWEST = MetricSeries("velox_backup_newest_timestamp_seconds", GAUGE, (), "When the newest backup was made.")
BACKUP_WAITING = MetricSeries(
    "velox_backup_waiting_since_timestamp_seconds", GAUGE, (), "When the oldest fact that no backup holds was recorded."
)

LEDGER_CALLS = MetricSeries(
    "velox_ledger_call_seconds",
    HISTOGRAM,
    ("kind",),
    "How long strategies waited for a call at the ledger, one that was refused included; kind: write or read.",
)
POINTS_READ = MetricSeries(
    "velox_points_read_seconds",
    HISTOGRAM,
    (),
    "How long ticks, candles and other points took to be read by strategies.",
)
SHIPPING = MetricSeries(
    "velox_shipping_seconds", HISTOGRAM, (), "How long slices of the spool took to be written to the store and settled."
)
REQUESTS = MetricSeries(
    "velox_request_seconds", HISTOGRAM, ("kind",), "How long requests took to be answered; kind: page or api."
)

JOURNAL_ROWS = MetricSeries("velox_journal_rows", COUNTER, ("account",), "Rows of the account's journal, of all time.")
REALISED = MetricSeries(
    "velox_pnl_realised", GAUGE, _STRATEGY, "P&L realised today after known charges, in the account's currency."
)
WITHOUT_CHARGES = MetricSeries(
    "velox_trades_without_charges", GAUGE, _ACCOUNT, "Trades closed today whose charges are not known."
)
CLOSED = MetricSeries("velox_trades_closed", GAUGE, _ACCOUNT, "Trades closed today.")
OPEN_POSITIONS = MetricSeries("velox_positions_open", GAUGE, _STRATEGY, "Open trades.")
UNPRICED = MetricSeries("velox_positions_unpriced", GAUGE, _STRATEGY, "Open trades whose last price is not known.")
UNREALISED = MetricSeries(
    "velox_pnl_unrealised", GAUGE, _STRATEGY, "P&L of the open trades whose last price is known, before charges."
)
OPEN_RISK = MetricSeries(
    "velox_risk_open",
    GAUGE,
    _STRATEGY,
    "What the open trades would lose from their last prices to their stops; those without stop or price are not in it.",
)
UNSTOPPED = MetricSeries("velox_positions_without_stop", GAUGE, _STRATEGY, "Open trades without a stop.")
POSITION_PNL = MetricSeries(
    "velox_position_pnl_unrealised", GAUGE, _POSITION, "P&L of an open position; at most 100 of all, the largest ones."
)
POSITION_OPENED = MetricSeries(
    "velox_position_opened_timestamp_seconds", GAUGE, _POSITION, "When the oldest trade of an open position was opened."
)
POSITION_TICK_AGE = MetricSeries(
    "velox_position_tick_age_seconds", GAUGE, _POSITION, "Age of the last tick of an open position's symbol."
)

SERIES: tuple[MetricSeries, ...] = tuple(
    series for series in list(globals().values()) if isinstance(series, MetricSeries)
)
