"""The rules of Prometheus: made from the table of faults, right by promtool, and tested so that a weaker one fails."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ops.prometheus.__main__ import FOLDER, files
from ops.prometheus.rules import EVERY_SECONDS, RULES_FILE, Rule, alert_name, rule
from trading.health.faults import FAULTS

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing: make servers")


def promtool(*words: str | Path) -> int:
    return subprocess.run(["promtool", *words], capture_output=True, check=False, timeout=600).returncode


def test_the_files_are_made_from_the_table() -> None:
    made = {path.name for path, text in files().items() if path.read_text() == text}
    assert made == {RULES_FILE, "velox_rules_test.yml", "velox_fortnight_test.yml"}, "run: python -m ops.prometheus"


def test_each_fault_has_a_rule_of_its_own() -> None:
    assert len({alert_name(fault) for fault in FAULTS}) == len(FAULTS)
    assert promtool("check", "rules", FOLDER / RULES_FILE) == 0


@pytest.mark.parametrize("name", ["velox_rules_test.yml", "velox_fortnight_test.yml"])
def test_promtool_proves_them(name: str) -> None:
    assert promtool("test", "rules", FOLDER / name) == 0


def _another_code(row: Rule) -> None:
    row["expr"] = re.sub(r'code="\w+"|job="velox"', 'job="another"', row["expr"]).replace("_seen_", "_unseen_")


def _another_threshold(row: Rule) -> None:
    row["expr"] = re.sub(r"(== |> )(\d+)$", r"\g<1>7\2", row["expr"])


def _held_for_longer(row: Rule) -> None:
    row["for"] = f"{float(row['for'][:-1]) + EVERY_SECONDS:g}s"


def _not_held(row: Rule) -> None:
    row["for"] = f"{max(0, float(row['for'][:-1]) - EVERY_SECONDS):g}s"


WEAKENED: dict[Callable[[Rule], None], set[str]] = {
    change: {alert_name(fault) for fault in FAULTS if is_weaker(fault)}
    for change, is_weaker in (
        (_another_code, lambda fault: True),
        (_another_threshold, lambda fault: True),
        (_held_for_longer, lambda fault: True),
        (_not_held, lambda fault: fault.hold_seconds),
    )
}


@pytest.mark.parametrize("weaken", WEAKENED)
def test_each_weakened_rule_fails_the_tests(weaken: Callable[[Rule], None], tmp_path: Path) -> None:
    """Weaken all rules alike: the tests name each whose alerts are others then."""
    rows = [rule(fault) for fault in FAULTS]
    for row in rows:
        weaken(row)
    groups = {"groups": [{"name": "velox", "interval": f"{EVERY_SECONDS}s", "rules": rows}]}
    (tmp_path / RULES_FILE).write_text(yaml.safe_dump(json.loads(json.dumps(groups))))
    shutil.copy(FOLDER / "velox_rules_test.yml", tmp_path)
    words = ["promtool", "test", "rules", str(tmp_path / "velox_rules_test.yml")]
    answer = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
    assert set(re.findall(r"alertname: ?(\w+)", answer.stdout + answer.stderr)) == WEAKENED[weaken]
