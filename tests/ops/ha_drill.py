"""`make ha-drill`: the primary under the ledger is lost, with a standby that must have commits and one that need not;
then a web of two is killed, then a primary that Patroni keeps. Its figures go to docs/operations.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ops.failover import Failover, failing_over, migrated, writing
from tests.ops.figures import write_figures
from tests.ops.patroni import Agent, follows, missing, patroni_pair
from tests.postgres_node import Node
from tests.waiting import until
from tests.with_postgres import postgres_programs

TRADES = int(os.environ.get("VELOX_DRILL_TRADES", "200"))  # of each of two writers, before and after
PAGES = "400"
FIRST_SECONDS_MAX = 3.0
SPLIT_SECONDS = 10
IS_STANDBY = "SELECT pg_is_in_recovery()"


def fail_over(template: Node, folder: Path, *, must_have: bool) -> list[tuple[str, str]]:
    """Lose the primary under two writers; return the figures. Raises: AssertionError for a loss that must not be."""
    kind = "synchronous" if must_have else "asynchronous"
    with failing_over(template, folder, must_have=must_have) as failover:
        failover.write(TRADES)
        failover.promote()
        failover.write(TRADES)
        failover.end()
        lost, acknowledged, desk = len(failover.lost()), len(failover.acknowledged), failover.writers[0].desk
        if lost:
            desk.manage("note_restore", "--by", "drill", "--reason", "a failover")
        code, proof = desk.manage("verify_ledger")
        assert code == 0, proof["differences"]
        assert not (must_have and lost), f"{lost} trades that a synchronous standby had confirmed are lost"
        refused = failover.write_to_the_old_one()
        assert refused.get("code") == "ledger_read_only", refused
        failover.primary.stop()
        failover.primary.rewind(failover.standby)
        failover.primary.follow(failover.standby, must_have=must_have)
        return [
            (f"{kind}: trades acknowledged, of these lost", f"{acknowledged}, {lost}"),
            (
                f"{kind}: seconds from the order to promote to the first acknowledged call (mark {FIRST_SECONDS_MAX})",
                f"{failover.seconds():.1f}",
            ),
            (f"{kind}: the old primary, writable beside the new one, for a desk that finds it first", "refused"),
            (f"{kind}: `verify_ledger` on the new primary, pg_rewind of the old one", "proved, follows"),
        ]


@contextmanager
def writing_beside_patroni(programs: Path, folder: Path) -> Iterator[tuple[Agent, Agent, Failover]]:
    """Let writers begin on a ledger that Patroni keeps; give the pair's primary, its standby, and what writes."""
    with patroni_pair(programs) as (first, second):
        env = {**os.environ, "VELOX_DATA_DIR": str(folder), "DATABASE_URL": first.node.url_of("postgres")}
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=env, check=True)
        with writing(first.node, second.node, folder) as failover:
            yield first, second, failover


def go_on(failover: Failover) -> tuple[int, int]:
    """Let the writers go on after a loss, and end; return how many trades were acknowledged, and of these lost. Raises:
    AssertionError for one that is, or a ledger that is not proved."""
    failover.promoted_at = time.monotonic()
    failover.write(TRADES)
    failover.end()
    lost, acknowledged = len(failover.lost()), len(failover.acknowledged)
    code, proof = failover.writers[0].desk.manage("verify_ledger")
    assert code == 0 and not lost, (lost, proof)
    return acknowledged, lost


def fail_over_by_patroni(programs: Path, folder: Path) -> list[tuple[str, str]]:
    """Lose the primary of a pair that Patroni keeps, and let nobody do anything; return the figures. Raises:
    AssertionError for a loss."""
    with writing_beside_patroni(programs, folder) as (first, second, failover):
        failover.write(TRADES)
        first.kill()
        acknowledged, lost = go_on(failover)
        first.start()
        began = time.monotonic()
        until(lambda: follows(second), pause_seconds=0.2)
        seconds = time.monotonic() - began
        return [
            ("trades acknowledged, of these lost", f"{acknowledged}, {lost}"),
            ("seconds from the loss of the primary's host to the first acknowledged call", f"{failover.seconds():.1f}"),
            ("seconds from the old primary's start until it follows as the synchronous standby", f"{seconds:.1f}"),
            ("`verify_ledger` on the new primary", "proved"),
        ]


def split_by_patroni(programs: Path, folder: Path) -> list[tuple[str, str]]:
    """Kill a primary's Patroni alone, so that two servers take writes; return the figures. Raises: AssertionError for a
    loss, or a trade that the old one acknowledges beside the new one."""
    with writing_beside_patroni(programs, folder) as (first, second, failover):
        failover.write(TRADES)
        first.kill_alone()
        until(lambda: second.answers(IS_STANDBY) == [(False,)], pause_seconds=0.2)
        before = len(failover.acknowledged)
        time.sleep(SPLIT_SECONDS)
        assert first.answers(IS_STANDBY) == second.answers(IS_STANDBY) == [(False,)]
        meanwhile = len(failover.acknowledged) - before
        assert not meanwhile
        first.node.kill()
        acknowledged, lost = go_on(failover)
        first.start()
        until(lambda: follows(second), pause_seconds=0.2)
        return [
            (f"two writable servers for {SPLIT_SECONDS} s: trades acknowledged meanwhile", str(meanwhile)),
            ("two writable servers: trades acknowledged before and after, of these lost", f"{acknowledged}, {lost}"),
            ("seconds from the fencing of the old one to the first acknowledged call", f"{failover.seconds():.1f}"),
            ("`verify_ledger` on the new primary, the old one", "proved, follows"),
        ]


def kill_a_web() -> list[tuple[str, str]]:
    """Ask two webs for pages while one is killed; return what the test of it says."""
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "-s", "--timeout", "3600", "tests/ops/test_two_webs.py"]
    environment = {**os.environ, "VELOX_TWO_WEBS_PAGES": PAGES}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    (seconds,) = re.findall(r"live pages resumed ([\d.]+) s", done.stdout)
    return [
        (f"two webs: of {PAGES} pages asked for while one is killed with `kill -9`, refused", "0"),
        ("two webs: seconds from the kill until live pages go on at the other (mark 2)", seconds),
    ]


def main() -> int:
    programs = postgres_programs()
    if programs is None:
        print("NOT RUN: PostgreSQL is not installed (apt-get install postgresql)", file=sys.stderr)
        return 1
    rows: list[tuple[str, str]] = []
    for must_have in (True, False):
        with (
            tempfile.TemporaryDirectory(prefix="velox-drill-") as folder,
            migrated(programs, Path(folder)) as template,
        ):
            rows += fail_over(template, Path(folder), must_have=must_have)
    write_figures("ha-drill", rows + kill_a_web())
    if absent := missing():
        print(f"NOT RUN: {' and '.join(absent)} not installed (apt-get install patroni etcd-server)", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="velox-drill-") as folder:
        rows = fail_over_by_patroni(programs, Path(folder))
    with tempfile.TemporaryDirectory(prefix="velox-drill-") as folder:
        write_figures("patroni", rows + split_by_patroni(programs, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
