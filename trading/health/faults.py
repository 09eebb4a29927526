"""Every fault that VELOX tells of itself: the one table behind `health`, alerts, Prometheus' and Grafana's rules.

`docs/faults.md` is made from it. A check answers with a fault's `state`, so no code, status or cure stands elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from timeseries import presence
from timeseries.bus.standing import LEFT_SECONDS
from trading.health.state import DEGRADED, DOWN, State

DAY = 86_400.0
ANSWER_SECONDS = 2.0  # a check's longest wait for a server or for the writers' lock
OLD_SECONDS = 60.0  # so old may a waiting point, row or fact be
QUIET_SECONDS = 60.0  # so long may a feed be silent in session
TOLD_SECONDS = 2.0  # so often a consumer tells how its partitions stand
KAFKA_SECONDS = 10.0  # so long may Kafka leave a consumer without an answer, which is asked for as often
REFUSED_SECONDS = (60.0, 3600.0)  # so long after a refusal the spool is down, and so long degraded
FACTS_REFUSED_SECONDS = DAY
UNSYNCED_SECONDS, UNSYNCED_WINDOWS = 2.0, 10  # the later of both: a companion may be starting, a disk be slow once
FREE_BYTES_LOW, FREE_BYTES_OUT = 1 << 30, 64 << 20
COMPARED_SECONDS = 180.0  # three comparisons of the hot copy, of which one comes a minute
STUCK_SECONDS = 120.0  # a companion's pass takes seconds
TASK_SECONDS = 330.0  # a worker's task is killed at its time limit
BACKUP_FIRST_SECONDS, BACKUP_NEXT_SECONDS = DAY, 2 * DAY
CHECK_DAYS = 2  # of SQLite's look through the ledger's file, which comes once a day while somebody watches
STANDBY_SECONDS = 60.0  # PostgreSQL's wal_sender_timeout: so long does a standby count that went without a word
WAL_BYTES_MAX = 256 << 20  # of SQLite: a reader that never ends keeps it growing
ARCHIVE_SECONDS = 3600.0  # for which passes over the archive, one in ten minutes, may fail
CLOCK_SECONDS = 2.0  # between this machine and the server of the ledger
FEED_AHEAD_SECONDS, FEED_LATE_SECONDS = 5.0, 30.0  # of exchange times against this machine, both ways
CERTIFICATE_DAYS = 14
CERTIFICATE_EVERY_SECONDS = 3600.0  # so often a certificate is looked at
GIVEN_UP_SECONDS = 3600.0  # the tries of a message, with their pauses
UNHELD_SECONDS = 60.0  # a silent holder is overtaken within thirty
UNJUDGED_SECONDS = 120.0  # looks come every ten seconds
NUMBERS_SECONDS = 60.0  # so old may the numbers of a scrape be


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one part. ``seconds`` pass at most until `health` shows it.

    ``mending`` says what `manage.py doctor --fix` does about it; "" where a person must decide. ``hold_seconds``: a
    state that may pass by itself is alarmed only after so long. ``expression``: the PromQL of what the part's own
    state cannot tell.
    """

    part: str
    code: str
    name: str
    status: str
    seconds: float
    cure: str
    mending: str = ""
    hold_seconds: float = 0.0
    expression: str = ""

    @property
    def key(self) -> str:
        """Return the name of the fault among all: part/code."""
        return f"{self.part}/{self.code}"

    @property
    def rule(self) -> str:
        """Return the PromQL expression that has a sample while the fault is there."""
        return self.expression or f'velox_part_fault{{part="{self.part}",code="{self.code}"}} == 1'

    def state(self, detail: str, *, status: str = "") -> State:
        """Return the state of a part that has this fault; ``status`` where it has eased since it came."""
        return State(status or self.status, self.code, detail, self.cure)


LEDGER_UNREACHABLE = Fault(
    "ledger", "ledger_unreachable", "PostgreSQL is gone or refuses this desk", DOWN, ANSWER_SECONDS,
    "Start PostgreSQL or mend DATABASE_URL; nothing that was accepted is lost meanwhile.",
)  # fmt: skip
LEDGER_NOT_READY = Fault(
    "ledger", "ledger_not_ready", "There is no ledger, or its tables are of another version than the code", DOWN, 0,
    "Run `manage.py migrate`; where the ledger is newer than the code, install the newer VELOX.",
)  # fmt: skip
LEDGER_DAMAGED = Fault(
    "ledger", "ledger_damaged", "The file of the ledger is damaged", DOWN, DAY,
    "Stop everything that writes; run `manage.py doctor` and `manage.py verify_ledger`, and restore the newest backup "
    "beside the damaged file.",
)  # fmt: skip
LEDGER_READ_ONLY = Fault(
    "ledger", "ledger_read_only", "The ledger cannot be written", DOWN, 0, "Check owner, mode and disk.",
)  # fmt: skip
LEDGER_BUSY = Fault(
    "ledger", "ledger_busy", "Another writer holds the ledger", DEGRADED, ANSWER_SECONDS,
    "Look who writes to it.", hold_seconds=30,
)  # fmt: skip
NO_BACKUP = Fault(
    "ledger", "no_backup", "Facts wait for their first backup", DEGRADED, BACKUP_FIRST_SECONDS,
    "Run `manage.py backup`, every day after the session, and copy the file to another machine.",
)  # fmt: skip
BACKUP_OLD = Fault(
    "ledger", "backup_old", "Facts wait for a backup too long", DEGRADED, BACKUP_NEXT_SECONDS,
    "Run `manage.py backup`, every day after the session, and copy the file to another machine.",
)  # fmt: skip
WAL_LARGE = Fault(
    "ledger", "wal_large", "SQLite's write-ahead log grows: a reader keeps it from being applied", DEGRADED, 0,
    "End the process that reads for so long, then run `manage.py doctor --fix`.",
    mending="The log is applied to the ledger's file (a checkpoint).",
)  # fmt: skip
ARCHIVE_OFF = Fault(
    "ledger", "archive_off", "PostgreSQL archives no WAL, which VELOX_WAL_ARCHIVE asks for", DEGRADED, 0,
    "Set archive_mode and archive_command in postgresql.conf, and start the server again.",
)  # fmt: skip
ARCHIVE_FAILING = Fault(
    "ledger", "archive_failing", "PostgreSQL cannot archive its WAL", DEGRADED, 0,
    "Look at the server's log and at the place that archive_command writes to; the WAL waits on its disk.",
)  # fmt: skip
STANDBY_MISSING = Fault(
    "ledger", "standby_missing", "A standby is missing that must have each commit", DEGRADED, STANDBY_SECONDS,
    "Start the standby or mend its connection: without it a call answers `ledger_unconfirmed`. Where none shall be "
    "waited for any more, empty synchronous_standby_names.", hold_seconds=15,
)  # fmt: skip
CHECK_OLD = Fault(
    "ledger", "check_old", "The ledger's file was not looked through for days", DEGRADED, CHECK_DAYS * DAY,
    "`manage.py doctor` looks through it now; the log of who watches the desk says why it was not done.",
    hold_seconds=300,
)  # fmt: skip
LEDGER_SLOW = Fault(
    "ledger", "slow", "The ledger answers late", DEGRADED, 0,
    "Look at the disk and at who writes: a caller's patience ends at two seconds.", hold_seconds=60,
)  # fmt: skip

SPOOL_FAILED = Fault(
    "spool", "spool_failed", "The disk refuses the spool: it cannot be counted or written", DOWN, 0,
    "Look at the disk and at the log.",
)  # fmt: skip
SPOOL_FULL = Fault(
    "spool", "spool_full", "Records were refused: the disk is at its reserve, or the spool at its limit", DOWN, 0,
    "Make room on the disk; recording goes on by itself.",
)  # fmt: skip
SPOOL_REMOVED = Fault(
    "spool", "spool_removed", "The spool was emptied or replaced under its recorder", DOWN, 1,
    "Look who emptied the data folder; recording goes on in a new one.",
)  # fmt: skip
SYNC_FAILED = Fault(
    "spool", "sync_failed", "The disk could not sync records", DEGRADED, 1,
    "Look at the disk; what it lost is written again by itself.",
)  # fmt: skip
UNSYNCED = Fault(
    "spool", "unsynced", "Records wait too long for the disk: a power loss would cost them", DEGRADED, UNSYNCED_SECONDS,
    "Look at the disk and at `shipper`: the companion keeps a process that syncs.", hold_seconds=10,
)  # fmt: skip
SPOOL_LOW = Fault(
    "spool", "spool_low", "The spool's room runs short", DEGRADED, 0,
    "Make room on the disk, ship what waits, or keep shipped segments for fewer days.",
)  # fmt: skip
BALANCE = Fault(
    "spool", "balance", "Accepted points are nowhere", DEGRADED, 0,
    "`manage.py spool` names the source; look for segments that were removed by hand.",
)  # fmt: skip
SEGMENT_UNREADABLE = Fault(
    "spool", "segment_unreadable", "A segment that waits has records that cannot be read", DEGRADED, 0,
    "Keep a copy of the data folder and look at the disk; whole records of the segment are shipped by themselves.",
)  # fmt: skip
SPOOL_SLOW = Fault(
    "spool", "slow", "The spool answers late", DEGRADED, 0, "Look at the disk: it is busy or failing.",
    hold_seconds=60,
)  # fmt: skip

STORE_UNAVAILABLE = Fault(
    "store", "store_unavailable", "The store does not answer: InfluxDB is down or hangs", DEGRADED, ANSWER_SECONDS,
    "Start the server, mend INFLUXDB_V2_URL, or free the folder of the tables; points wait in the spool meanwhile.",
    hold_seconds=30,
)  # fmt: skip
STORE_MISCONFIGURED = Fault(
    "store", "store_misconfigured", "The store refuses this desk", DEGRADED, ANSWER_SECONDS,
    "Set all four INFLUXDB_V2_* variables to what the server knows, or unset INFLUXDB_V2_URL.",
)  # fmt: skip
STORE_DAMAGED = Fault(
    "store", "store_damaged", "A file of the store is gone or damaged", DEGRADED, 60,
    "The companion fills it again from the kept segments; `manage.py resend --damaged` does so now.",
    mending="The file's rows are filled again from the kept segments.", hold_seconds=300,
)  # fmt: skip
NOT_ARCHIVED = Fault(
    "store", "not_archived", "Days that are over are not archived", DEGRADED, ARCHIVE_SECONDS,
    "Mend what the state names, then run `manage.py archive`; nothing is lost, the days stay here meanwhile.",
)  # fmt: skip
ARCHIVE_REFUSED = Fault(
    "store", "archive_refused", "The archive cannot be used as it is set", DEGRADED, 0,
    "Do what the state says, then run `manage.py archive`; nothing is lost, the days stay here meanwhile.",
)  # fmt: skip
RETENTION_WAITS = Fault(
    "store", "retention_waits", "The clock is weeks ahead of the newest point, so nothing old is removed", DEGRADED, 0,
    "Let chrony or timesyncd set the clock. Where it is right and the desk was quiet, five days of points end this.",
)  # fmt: skip
STORE_SLOW = Fault(
    "store", "slow", "The store answers late", DEGRADED, 0,
    "Look at the disk, or at the server of INFLUXDB_V2_URL.", hold_seconds=60,
)  # fmt: skip

NO_COMPANION = Fault(
    "shipper", "no_companion", "Somebody records and the companion was killed", DEGRADED, presence.ABSENT_SECONDS,
    "Run `manage.py ship --watch --stay`, or let the feed tick: its recorder starts one.",
    mending="A companion is started.",
)  # fmt: skip
COMPANION_STUCK = Fault(
    "shipper", "companion_stuck", "The companion lives and does not work", DEGRADED, STUCK_SECONDS,
    "Look at companion.log and at the disk; kill the process that health names, and the next record starts another.",
)  # fmt: skip
NOBODY_SHIPS = Fault(
    "shipper", "nobody_ships", "Points wait and nobody ships them", DEGRADED, OLD_SECONDS, "Run `manage.py ship`.",
    mending="A companion is started.",
)  # fmt: skip
BEHIND = Fault(
    "shipper", "behind", "Points wait although the companion works", DEGRADED, OLD_SECONDS,
    "The companion goes on trying; its log says why it waits.", hold_seconds=60,
)  # fmt: skip
DEAD_LETTERS = Fault(
    "shipper", "dead_letters", "The store refused points for good", DEGRADED, 1,
    "`manage.py dead_letters` says why; put its cause right, then `manage.py dead_letters --retry`.",
    mending="Each dead letter is offered once more.",
)  # fmt: skip

FACTS_WAIT = Fault(
    "intake", "facts_wait", "Facts wait for the ledger", DEGRADED, OLD_SECONDS,
    "Look at `ledger`; they are posted in order once it answers, or now by `manage.py intake --post`.",
    mending="They are posted in their order.",
)  # fmt: skip
FACTS_REFUSED = Fault(
    "intake", "facts_refused", "The ledger refused a fact that had waited: the books lack it", DEGRADED, 1,
    "`manage.py intake` says which and why; record it by hand.",
)  # fmt: skip
FOLLOWER_BEHIND = Fault(
    "follower", "follower_behind", "The journal is not projected into points", DEGRADED, OLD_SECONDS,
    "Look at the companion's log and at `spool`; nothing is lost, executions and stops come late to charts.",
    hold_seconds=60,
)  # fmt: skip

CACHE_UNREACHABLE = Fault(
    "hot", "cache_unreachable", "Redis is stopped or hangs", DEGRADED, ANSWER_SECONDS,
    "Start Redis or mend CACHE_URL.", hold_seconds=15,
)  # fmt: skip
MENDED = Fault(
    "hot", "mended", "The hot copy was wrong and is mended", DEGRADED, 60,
    "Nothing is to be mended; look who else writes into the Redis of CACHE_URL.",
)  # fmt: skip
COPY_STALE = Fault(
    "hot", "copy_stale", "The hot copy is not compared with the ledger any more", DEGRADED, COMPARED_SECONDS,
    "Look at the companion's log; `manage.py rebuild_cache` makes the copy anew from the ledger.",
    mending="The copy is made anew from the ledger.",
)  # fmt: skip
HOT_SLOW = Fault(
    "hot", "slow", "Redis answers late", DEGRADED, 0,
    "Look at the load of Redis and of this machine; pages and strategies do without it meanwhile.", hold_seconds=60,
)  # fmt: skip

BROKER_UNREACHABLE = Fault(
    "broker", "broker_unreachable", "The broker is gone or hangs", DEGRADED, ANSWER_SECONDS,
    "Start the broker or mend CELERY_BROKER_URL.", hold_seconds=15,
)  # fmt: skip
BROKER_SLOW = Fault(
    "broker", "slow", "The broker answers late", DEGRADED, 0,
    "Look at the broker's load and at the network; the companion ships by itself.", hold_seconds=60,
)  # fmt: skip
NO_WORKER = Fault(
    "worker", "no_worker", "No worker is there, or it is stopped", DEGRADED, presence.ABSENT_SECONDS,
    "Run `celery -A velox_site worker`.",
)  # fmt: skip
WORKER_STUCK = Fault(
    "worker", "worker_stuck", "The worker lives and finishes no task", DEGRADED, TASK_SECONDS,
    "Look at the worker's log and at `store`; end the worker and start it again.",
)  # fmt: skip
NO_BEAT = Fault(
    "beat", "no_beat", "The beat is dead", DEGRADED, presence.ABSENT_SECONDS, "Run `celery -A velox_site beat`.",
)  # fmt: skip

FEED_FROZEN = Fault(
    "feed", "quiet", "A feed is frozen while the exchange trades", DEGRADED, QUIET_SECONDS,
    "Look at the broker's connection.",
)  # fmt: skip
CLOCK_DATABASE = Fault(
    "clock", "clock_database", "This machine and the database server disagree on the time", DEGRADED, 0,
    "Let chrony or timesyncd set both clocks.",
)  # fmt: skip
PARTITION_LEFT = Fault(
    "feed", "partition_left", "A consumer of Kafka was killed or hangs, and nobody took its partition", DEGRADED,
    LEFT_SECONDS,
    "Start `manage.py consume` again: it goes on where it came to, as long as the topic keeps what nobody recorded. Of "
    "one that nobody shall record any more, remove the file `partition` from the source's folder in the spool.",
)  # fmt: skip
PARTITION_STOPPED = Fault(
    "feed", "partition_stopped", "A partition of a topic stands still, the others go on", DEGRADED, TOLD_SECONDS,
    "Put right what the state names: it is tried again each second, and goes on where it came to.", hold_seconds=30,
)  # fmt: skip
KAFKA_UNREACHABLE = Fault(
    "feed", "kafka_unreachable", "Kafka does not answer a consumer", DEGRADED, KAFKA_SECONDS + 2 * TOLD_SECONDS,
    "Start the broker or mend the network; the consumer goes on by itself.", hold_seconds=15,
)  # fmt: skip
KAFKA_BEHIND = Fault(
    "feed", "kafka_behind", "What is recorded of a topic is too far behind it", DEGRADED, OLD_SECONDS,
    "Start another `manage.py consume` of the group, at most one for each partition; one that is catching up goes on.",
    hold_seconds=60,
)  # fmt: skip
CLOCK_FEED = Fault(
    "clock", "clock_feed", "Live ticks carry exchange times that this machine's clock cannot explain", DEGRADED, 0,
    "Let chrony or timesyncd set the clock; where it is right, the feed is delayed: ask the broker.", hold_seconds=60,
)  # fmt: skip
CERTIFICATE_ENDS = Fault(
    "site", "certificate_ends", "The certificate of VELOX_SITE_URL ends soon", DEGRADED, CERTIFICATE_EVERY_SECONDS,
    "Renew the certificate, and see that whatever renews it runs.",
)  # fmt: skip
CERTIFICATE_WRONG = Fault(
    "site", "certificate_wrong", "The certificate of VELOX_SITE_URL has ended or is not trusted", DEGRADED,
    CERTIFICATE_EVERY_SECONDS,
    "Renew the certificate; one of an authority of one's own needs SSL_CERT_FILE.",
)  # fmt: skip
SITE_UNREACHABLE = Fault(
    "site", "site_unreachable", "Nobody answers at VELOX_SITE_URL", DEGRADED, 60,
    "Look at the proxy before VELOX, at its name and at its port.", hold_seconds=60,
)  # fmt: skip
DISK_FULL = Fault(
    "disk", "disk_full", "The disk is full", DOWN, 0, "Make room now: ticks are refused, the ledger is next.",
)  # fmt: skip
DISK_LOW = Fault(
    "disk", "disk_low", "The disk nears its reserve", DEGRADED, 0,
    "Make room, or move VELOX_DATA_DIR to a larger disk.",
)  # fmt: skip
LOGS_READ_ONLY = Fault(
    "logs", "logs_read_only", "The log cannot be written", DEGRADED, 0, "Check the folder's owner, mode and disk.",
)  # fmt: skip
UNDELIVERED = Fault(
    "alerts", "undelivered", "A channel did not take an alert, which was given up", DEGRADED, GIVEN_UP_SECONDS,
    "Look at the channel's address and server, then `manage.py alerts --test`; a message that arrives ends this.",
)  # fmt: skip
CHANNEL_UNUSABLE = Fault(
    "alerts", "channel_unusable", "A channel of VELOX_ALERT_URLS is no address, or of a kind that is not allowed",
    DEGRADED, 0,
    "Write it as apprise does, or name its kind in VELOX_ALERT_KINDS, and start again; the other channels are served.",
)  # fmt: skip
NOT_JUDGED = Fault(
    "alerts", "not_judged", "A companion works and nobody judges the desk's faults", DEGRADED, UNJUDGED_SECONDS,
    "Look at the companion's log for `the watch over the desk`; `manage.py health` tells the faults meanwhile.",
)  # fmt: skip
ALL_CLEAR_REFUSED = Fault(
    "alerts", "all_clear_refused", "The dead-man's switch does not take the all-clear", DEGRADED, 70,
    "Look at VELOX_DEADMAN_URL and at its server; the other end alarms meanwhile.", hold_seconds=120,
)  # fmt: skip
DUTY_UNHELD = Fault(
    "duties", "duty_unheld", "No host does a piece of the desk's work by period", DEGRADED, UNHELD_SECONDS,
    "Look at the companion's log; after an upgrade on PostgreSQL run ops/postgres/application_role.sql. Nothing is "
    "lost: alerts, points of executions and excursions wait.", hold_seconds=30,
)  # fmt: skip
WEB_GONE = Fault(
    "web", "web_gone", "The pages do not answer, and nobody reads the numbers", DOWN, NUMBERS_SECONDS,
    "Start `python -m velox_site.serve`; its log says why it ended.",
    hold_seconds=30, expression='up{job="velox"} == 0',
)  # fmt: skip
NUMBERS_OLD = Fault(
    "web", "numbers_old", "The numbers of /metrics grow old: a part hangs", DEGRADED, NUMBERS_SECONDS,
    "`manage.py health` names the part that hangs.",
    expression=f"time() - velox_seen_timestamp_seconds > {NUMBERS_SECONDS:g}",
)  # fmt: skip

_USED = "ledger", "spool", "store", "shipper", "intake", "follower", "hot", "broker", "worker", "beat", "feed"
PARTS = (*_USED, "clock", "site", "disk", "logs", "alerts", "duties")
ESSENTIAL = ("ledger", "spool")  # without one of these the desk is down
UNCHECKED = {
    name: Fault(
        name, "check_failed", f"The check of `{name}` broke", DOWN if name in ESSENTIAL else DEGRADED, ANSWER_SECONDS,
        "Look at the disk and at the log; what the check met stands beside it.",
    )
    for name in PARTS
}  # fmt: skip

FAULTS: tuple[Fault, ...] = tuple(
    sorted(
        [*(row for row in list(globals().values()) if isinstance(row, Fault)), *UNCHECKED.values()],
        key=lambda fault: (*PARTS, "web").index(fault.part),
    )
)
BY_KEY = {fault.key: fault for fault in FAULTS}
# What every host sees alike that shares a ledger; all else is of a host, its folder, or its way to the ledger.
SHARED = frozenset(fault.key for fault in (ARCHIVE_OFF, ARCHIVE_FAILING, STANDBY_MISSING, UNDELIVERED, DUTY_UNHELD))
