"""The ledger's PostgreSQL is lost and its standby promoted: the desk goes on there, and never back at the old one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.standby import standby_pair
from tests.trading.asked_desk import AskedDesk
from tests.waiting import until

NINE_THIRTY = 1_710_475_200_000_000_000
BEFORE = 5


def open_one(desk: AskedDesk, trade_id: str) -> dict[str, object]:
    return desk.ask("open_position", trade_id, "ema cross", "RELIANCE", "2450.05", 10, entry_time=NINE_THIRTY)


def test_the_desk_goes_on_at_the_promoted_standby_and_never_back(data_dir: Path) -> None:
    with standby_pair() as pair:
        first = f"postgres://postgres@127.0.0.1:{urlsplit(pair.url).port}"
        both = f"{first},127.0.0.1:{pair.port}/postgres?target_session_attrs=read-write"
        env = {**os.environ, "VELOX_DATA_DIR": str(data_dir), "DATABASE_URL": both}
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=env, check=True)
        with AskedDesk(env) as desk:
            for number in range(BEFORE):
                until(lambda number=number: "answer" in open_one(desk, f"T{number}"))
            old = pair.promote()
            until(lambda: "answer" in open_one(desk, "after"))
        proof = subprocess.run(
            [sys.executable, "manage.py", "verify_ledger"], env=env, capture_output=True, check=False
        )
        pair.start_again(old)
        with AskedDesk(env) as desk:
            refused = open_one(desk, "lost")
        count = "SELECT count(*) FROM trading_trade"
        assert pair.ask(count) == [(BEFORE,)]  # the old primary: it took nothing since
    assert proof.returncode == 0, proof.stdout
    assert refused["code"] == "ledger_read_only"
    assert "an old primary (timeline 1): the ledger went on at timeline 2" in str(refused["error"])
