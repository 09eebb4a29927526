"""The rules of Prometheus: made from the table of faults, right by promtool, and tested so that a weaker one fails."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ops.prometheus.__main__ import FOLDER, files
from ops.prometheus.rules import RULES_FILE, Rule, alert_name, rule, rule_tests
from trading.health.faults import BY_KEY, FAULTS

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing: make servers")
FAULT = BY_KEY["store/store_unavailable"]  # held for half a minute


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
    row["expr"] = row["expr"].replace("store_unavailable", "store_damaged")


def _never(row: Rule) -> None:
    row["expr"] = row["expr"].replace("== 1", "== 2")


def _held_for_longer(row: Rule) -> None:
    row["for"] = "60s"


def _not_held(row: Rule) -> None:
    row["for"] = "0s"


def _milder(row: Rule) -> None:
    row["labels"]["severity"] = "info"


@pytest.mark.parametrize("weaken", [None, _another_code, _never, _held_for_longer, _not_held, _milder])
def test_a_weakened_rule_fails_its_test(weaken: Callable[[Rule], None] | None, tmp_path: Path) -> None:
    row = rule(FAULT)
    if weaken is not None:
        weaken(row)
    texts = {RULES_FILE: {"groups": [{"name": "velox", "rules": [row]}]}, "test.yml": rule_tests([FAULT])}
    for name, content in texts.items():
        (tmp_path / name).write_text(yaml.safe_dump(json.loads(json.dumps(content))))
    assert (promtool("test", "rules", tmp_path / "test.yml") == 0) == (weaken is None)
