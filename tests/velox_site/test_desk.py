"""What `from velox_site.desk import DataManager` does to the process of a plain script, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.velox_site.test_logs import kept, run_script

BOT = """
import json, logging, logging.handlers, os, sys
root, bot, strategy = logging.getLogger(), logging.getLogger("bot"), logging.getLogger("strategy")
root.setLevel(logging.INFO)
root.addHandler(logging.FileHandler(os.environ["BOT_LOG"], mode="w"))
root.addHandler(buffer := logging.handlers.MemoryHandler(1000, target=logging.StreamHandler(sys.stdout)))
bot.setLevel(logging.ERROR)
strategy.setLevel(logging.CRITICAL)
bot.error("before")
before = (list(root.handlers), root.level, root.disabled, bot.level, bot.propagate, strategy.level, strategy.propagate)
from velox_site.desk import DataManager
after = (list(root.handlers), root.level, root.disabled, bot.level, bot.propagate, strategy.level, strategy.propagate)
assert before == after, (before, after)
bot.error("after")
logging.getLogger("any.package").info("of the bot")
logging.getLogger("trade").warning("by our name")
logging.getLogger("django.request").warning("of Django")
from velox_site.logs import risk_log
risk_log.error("by ours")
buffer.flush()
"""


def test_the_root_logger_is_the_callers_and_what_goes_by_the_desks_names_is_kept_in_its_logs(tmp_path: Path) -> None:
    told = run_script(BOT, tmp_path / "desk", BOT_LOG=str(tmp_path / "bot.log"))
    lines = ["before", "after", "of the bot", "by our name", "of Django"]
    assert (tmp_path / "bot.log").read_text().splitlines() == lines
    assert told.splitlines() == lines
    assert [line["message"] for line in kept(tmp_path / "desk" / "logs")] == ["by our name", "of Django", "by ours"]


def test_a_caller_that_set_no_logging_up_gets_no_handler_either_and_waits_for_no_pandas(tmp_path: Path) -> None:
    run_script(
        "import logging, sys\nfrom velox_site.desk import DataManager\n"
        "assert (logging.root.handlers, logging.root.level) == ([], logging.WARNING)\n"
        "assert 'pandas' not in sys.modules",
        tmp_path / "desk",
    )


def test_the_time_of_the_process_is_the_desks_on_any_host(tmp_path: Path) -> None:
    script = (
        "import json, os, time\nfrom datetime import UTC, datetime\nfrom velox_site.desk import DataManager\n"
        "now, utc = datetime.now(), datetime.now(UTC).replace(tzinfo=None)\n"
        "print(json.dumps([os.environ['TZ'], round((now - utc).total_seconds() / 60)]))"
    )
    for zone, minutes in (("Asia/Kolkata", 330), ("Asia/Tokyo", 540)):
        told: list[Any] = json.loads(
            run_script(script, tmp_path / "desk", TZ="America/Sao_Paulo", VELOX_TIME_ZONE=zone)
        )
        assert told == [zone, minutes]
