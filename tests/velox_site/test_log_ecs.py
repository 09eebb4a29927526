"""ECS lines: only names that the Elastic Common Schema has, each with a value of its type."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.velox_site.test_logs import line, run_script
from velox_site.log_ecs import as_ecs
from velox_site.log_reader import parsed

# The fields that VELOX uses, with their types, as the schema defines them (github.com/elastic/ecs, generated/csv).
ECS: dict[str, type | tuple[type, ...]] = {
    "@timestamp": str,  # date
    "message": str,
    "log.level": str,
    "log.logger": str,
    "ecs.version": str,
    "service.name": str,
    "event.dataset": str,
    "process.pid": int,
    "error.type": str,
    "error.message": str,
    "error.stack_trace": str,
    "http.request.id": str,
    "user.id": str,
    "client.ip": str,
}
FULL: dict[str, Any] = {
    "request_id": "f3b0",
    "user_id": 7,
    "ip": "127.0.0.1",
    "trade_id": "T1",
    "price": Decimal("760.05"),
    "rsi": 45.5,
    "taken": True,
    "a.b": {"c": [1, 2]},
    "nothing": None,
    "exception": {"type": "ValueError", "message": "no", "traceback": "Traceback\n  ValueError: no\n"},
}


def flat(document: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in document.items():
        path = f"{above}{name}"
        found |= flat(value, f"{path}.") if isinstance(value, dict) else {path: value}
    return found


@pytest.mark.parametrize("context", [{}, FULL])
def test_every_name_is_one_of_the_schema_and_every_value_of_its_type(context: dict[str, Any]) -> None:
    fields = flat(json.loads(as_ecs(line(**context))))
    labels = {name: value for name, value in fields.items() if name.startswith("labels.")}
    others = {name: value for name, value in fields.items() if name not in labels}
    assert set(others) <= set(ECS)
    assert {name for name, value in others.items() if not isinstance(value, ECS[name])} == set()
    assert {name for name, value in labels.items() if not isinstance(value, str) or name.count(".") > 1} == set()
    assert datetime.fromisoformat(fields["@timestamp"]).tzinfo is not None


def test_what_was_bound_stands_under_the_schemas_name_and_the_rest_in_labels() -> None:
    fields = flat(json.loads(as_ecs(line(**FULL))))
    assert (fields["http.request.id"], fields["user.id"], fields["client.ip"]) == ("f3b0", "7", "127.0.0.1")
    assert (fields["labels.trade_id"], fields["labels.price"], fields["labels.rsi"]) == ("T1", "760.05", "45.5")
    assert fields["labels.a_b"] == '{"c":[1,2]}'
    assert fields["error.type"] == "ValueError"


@pytest.mark.parametrize("value", [2**80, "\ud800", object(), float("nan"), b"\xff", {(1, 2): 3}])
def test_whatever_the_data_are_the_line_is_json(value: Any) -> None:
    assert json.loads(as_ecs(line(value=value)))["message"] == "signal taken"


def test_it_is_read_back_as_the_same_event() -> None:
    found = parsed(as_ecs(line(**FULL)))
    assert found is not None
    assert (found.level, found.logger, found.message) == ("info", "strategy", "signal taken")
    assert found.context["trade_id"] == "T1"
    assert found.context["exception"] == FULL["exception"]


def test_the_setting_chooses_the_lines(tmp_path: Any) -> None:
    script = "from velox_site.desk import DataManager; from velox_site.logs import risk_log\nrisk_log.info('near')"
    run_script(script, tmp_path, VELOX_LOG_FORMAT="ecs")
    [file] = (tmp_path / "logs").glob("*.jsonl")
    assert json.loads(file.read_text())["log"] == {"level": "info", "logger": "risk"}
