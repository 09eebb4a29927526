"""`make chaos`: the long form of the kill tests, one after the other; stops at the first that finds a fault."""

from __future__ import annotations

import os
import subprocess
import sys

LEDGER = {
    "VELOX_MODEL_DESKS": "100",
    "VELOX_MODEL_OPERATIONS": "1000",  # of each desk
    "VELOX_RACE_TRADES": "300",
    "VELOX_KILL_SHARE": "1",  # at every statement
}
LONG = ["pytest", "-q", "--timeout", "3600"]
OF_LEDGER = [*LONG, "tests/trading/test_ledger_model.py", "tests/trading/test_ledger_processes.py"]
OF_LEDGER += ["tests/trading/test_ledger_kills.py"]
RUNS: list[tuple[list[str], dict[str, str]]] = [
    (["tests.timeseries.chaos_recorder", "--kills", "200"], {}),
    (["tests.timeseries.chaos_kills", "--kills", "2300"], {}),
    ([*LONG, "tests/timeseries/test_damage.py"], {"VELOX_DAMAGES": "2000"}),
    ([*LONG, "tests/timeseries/test_archive.py", "-k", "random"], {"VELOX_ARCHIVE_KILLS": "100"}),
    (OF_LEDGER, LEDGER),
    ([*LONG, "tests/meta/test_seeded_bugs.py"], {"VELOX_SEEDED_EVERY": "1"}),
    (["tests.with_postgres", sys.executable, "-m", *OF_LEDGER], {**LEDGER, "VELOX_MODEL_DESKS": "10"}),
    (["tests.timeseries.outage"], {}),  # an hour's ticks
    ([*LONG, "tests/trading/test_odd_queries.py", "-k", "whatever_an_address"], {"VELOX_ODD_QUERIES": "10000"}),
    ([*LONG, "tests/trading/test_as_known.py", "-k", "every_report"], {"VELOX_EVERY_REPORT": "1"}),
    ([*LONG, "tests/trading/live/test_decoders.py", "-k", "random_damages"], {"VELOX_FRAME_DAMAGES": "1000000"}),
    ([*LONG, "tests/trading/live/test_record_command.py", "-k", "killed_at_random"], {"VELOX_RECORDER_KILLS": "60"}),
    ([*LONG, "tests/trading/test_api_stream.py", "-k", "killed_in_the_midst"], {"VELOX_API_KILLS": "100"}),
    ([*LONG, "tests/trading/test_api_events_killed.py"], {"VELOX_API_KILLS": "100"}),
    ([*LONG, "tests/timeseries/test_bus_kafka.py", "-k", "through_kills_of"], {"VELOX_BUS_KILLS": "50"}),
    ([*LONG, "-s", "tests/trading/test_api_fuzz.py"], {"VELOX_EXAMPLES": "100", "VELOX_SEED": "free"}),
    ([*LONG, "-s", "tests/ops/test_two_webs.py"], {"VELOX_TWO_WEBS_PAGES": "400"}),
    ([*LONG, "tests/trading/test_million.py"], {"VELOX_BOOK_TRADES": "1000000"}),
    ([*LONG, "-m", "hypothesis"], {"VELOX_EXAMPLES": "1000"}),
    (["tests.velox_site.chaos_logs", "--processes", "8", "--lines", "50000"], {}),
    (["tests.lab.chaos_engines"], {}),
    (["tests.lab.chaos_memory"], {}),
    (["tests.lab.chaos_motifs"], {}),
    (["tests.ops.flux_language"], {}),
    ([*LONG, "-s", "tests/ops/chaos_prometheus.py"], {}),
    ([*LONG, "tests/trading/chaos_fault_seconds.py"], {}),
    ([*LONG, "tests/trading/test_watch_killed.py"], {"VELOX_WATCH_KILLS": "300"}),
]


def main() -> int:
    for run, more in RUNS:
        print("$ python -m " + " ".join(run), flush=True)
        code = subprocess.run([sys.executable, "-m", *run], env={**os.environ, **more}, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
