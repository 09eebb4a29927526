"""Grafana's files are what the description makes, whole for Grafana's own models, and name nothing that VELOX lacks."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import alerting
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from hypothesis import given
from hypothesis import strategies as st

from ops.grafana.__main__ import DASHBOARDS, FOLDER, files
from ops.grafana.parts import INFLUX, POSTGRES, PROMETHEUS, Dashboard, Query
from timeseries.errors import InvalidValue
from timeseries.measurements import MEASUREMENTS, TIMES
from timeseries.stores.influx.names import coded
from timeseries.values import parse_name
from trading.health.faults import FAULTS
from trading.metrics.series import COUNTER, HISTOGRAM, SERIES
from trading.models.grafana_views import VIEWS

QUERIES = [(board.title, title, query) for board in DASHBOARDS for title, query in board.queries()]
ENDINGS = {COUNTER: "_total", HISTOGRAM: "_bucket"}
OF_SERIES = {f"{series.name}{ENDINGS.get(series.kind, '')}": series for series in SERIES}
BY_TITLE = [pytest.param(query, id=f"{board}: {title}") for board, title, query in QUERIES]


def of(source: Any) -> list[Any]:
    return [entry for entry in BY_TITLE if entry.values[0].source is source]


def read_back(model: Any, content: Any) -> Any:
    return json.loads(json.dumps(model.from_json(content), cls=JSONEncoder))


def test_the_files_are_those_that_the_description_makes() -> None:
    on_disk = {path for folder in ("dashboards", "provisioning") for path in (FOLDER / folder).rglob("*.*")}
    assert on_disk == set(files())
    stale = [path.name for path, text in files().items() if path.read_text(encoding="utf-8") != text]
    assert not stale, "run python -m ops.grafana"


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.uid)
def test_grafanas_own_models_read_a_dashboard_back_whole(board: Dashboard) -> None:
    plugins.register_default_plugins()
    content: Any = json.loads((FOLDER / "dashboards" / f"{board.uid}.json").read_text())
    again = read_back(Model, content)
    for marks, model in zip(content["annotations"]["list"], again["annotations"]["list"], strict=True):
        del marks["target"], model["target"]  # the models know the target of Grafana's own annotations alone
    assert left_out(content, again) == []


def left_out(content: Any, again: Any, path: str = "") -> list[str]:
    """Name what of some JSON is not in another, which may have defaults beside it."""
    if isinstance(content, dict):
        lacking = [f"{path}.{key}" for key in content if not isinstance(again, dict) or key not in again]
        return lacking + [
            name
            for key in content
            if isinstance(again, dict) and key in again
            for name in left_out(content[key], again[key], f"{path}.{key}")
        ]
    if isinstance(content, list):
        if not isinstance(again, list) or len(again) != len(content):
            return [path]
        return [
            name
            for n, (entry, other) in enumerate(zip(content, again, strict=True))
            for name in left_out(entry, other, f"{path}[{n}]")
        ]
    return [] if content == again else [f"{path}: {content!r} is {again!r}"]


def test_what_a_model_does_not_know_is_seen() -> None:
    assert left_out({"a": [{"b": 1, "c": 2}], "d": 3}, {"a": [{"b": 1}], "d": 4}) == [".a[0].c", ".d: 3 is 4"]


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.uid)
def test_each_dashboard_is_of_one_account(board: Dashboard) -> None:
    account = board.variables[0].json()
    assert isinstance(account, dict)
    assert (account["name"], account["multi"], account["includeAll"]) == ("account", False, False)
    numbers = [panel["id"] for panel in board.json()["panels"]]  # type: ignore[index,call-overload,union-attr]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("query", of(PROMETHEUS))
def test_promql_names_series_and_labels_that_are_written_and_the_account(query: Query) -> None:
    names = re.findall(r"\bvelox_\w+", query.text)
    assert names and set(names) <= OF_SERIES.keys()
    labels = {label for name in names for label in OF_SERIES[name].labels}
    labels |= {"le"} if any(OF_SERIES[name].kind == HISTOGRAM for name in names) else set()
    for grouped in re.findall(r"by \(([^)]*)\)", query.text):
        assert set(grouped.split(", ")) <= labels
    for label in [*re.findall(r"[{,](\w+)=~?\"", query.text), *re.findall(r"{{(\w+)}}", query.legend)]:
        assert label in labels | {"instance"}
    for name, selector in re.findall(r"\b(velox_\w+)(\{[^}]*\})?", query.text):
        if "account" in OF_SERIES[name].labels and "label_values" not in query.text:
            assert 'account="$account"' in selector, "two accounts would be shown as one"
        if "label_values" not in query.text:
            assert 'instance="$instance"' in selector, "two webs would be shown as one"


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.uid)
def test_a_dashboard_lets_choose_what_its_questions_name(board: Dashboard) -> None:
    named = {name for _, query in board.queries() for name in re.findall(r"\$\{?(?!__)([a-z]+)", query.text)}
    assert named == {variable.name for variable in board.variables}


def test_each_series_that_health_and_alerts_rest_on_stands_in_a_panel() -> None:
    shown = {name for _, _, query in QUERIES for name in re.findall(r"\bvelox_\w+", query.text)}
    assert OF_SERIES.keys() - shown == {
        "velox_ledger_info",
        "velox_follower_behind_seconds",
        "velox_positions_unpriced",
    }


@pytest.mark.parametrize("query", of(POSTGRES))
def test_sql_reads_views_and_one_account(query: Query) -> None:
    tables = set(re.findall(r"\b(?:FROM|JOIN) ([a-z_]+)", query.text))
    own = set(re.findall(r"\b([a-z_]+) AS \(", query.text)) | {"closed_at", "now"}
    assert tables - own and tables - own <= VIEWS.keys()
    for view in tables - own:
        assert query.text.count("account = ${account:sqlstring}") >= len(
            re.findall(rf"\b(?:FROM|JOIN) {view}\b", query.text)
        )


@pytest.mark.parametrize("query", of(INFLUX))
def test_flux_names_measurements_tags_and_fields_that_are_written_and_the_account(query: Query) -> None:
    named = re.findall(r'r\._measurement == "(\w+)"', query.text)
    fields = re.findall(r'r\._field == "(\w+)"', query.text)
    tags = set(re.findall(r"\br\.([a-z]\w*)", query.text)) | set(re.findall(r'columns: \["([a-z]\w*)"\]', query.text))
    measurements = [MEASUREMENTS[name] for name in named] or list(MEASUREMENTS.values())
    for measurement in measurements:
        assert set(fields) <= {field.name for field in measurement.fields} | set(TIMES[1:])
        assert tags <= set(measurement.series_tags)
    assert "r.account == account" in query.text


@pytest.mark.parametrize("query", of(INFLUX))
def test_flux_compares_a_tag_with_what_is_chosen_as_the_tag_holds_it(query: Query) -> None:
    encoded = re.findall(
        r'^(\w+) = strings\.replaceAll\(v: \$\{\1:doublequote\}, t: "%", u: "%25"\)$', query.text, re.M
    )
    assert query.text.count("$") == len(encoded)
    assert set(encoded) == set(re.findall(r"r\.\w+ == (\w+)", query.text))


@given(st.text(min_size=2, max_size=8))
def test_of_a_name_that_may_be_recorded_a_tag_encodes_the_percent_sign_alone(text: str) -> None:
    try:
        name = parse_name(text, "strategy")
    except InvalidValue:
        return
    assert coded(name) == name.replace("%", "%25")


def test_each_fault_has_a_rule_that_is_paused_and_says_the_cure() -> None:
    content: Any = yaml.safe_load((FOLDER / "provisioning/alerting/rules.yaml").read_text())
    (group,) = content["groups"]
    rules = group["rules"]
    assert len({rule["uid"] for rule in rules}) == len({rule["title"] for rule in rules}) == len(FAULTS) >= 30
    assert all(len(rule["uid"]) <= 40 and rule["isPaused"] is True for rule in rules)
    assert [(rule["labels"]["part"], rule["labels"]["code"]) for rule in rules] == [(f.part, f.code) for f in FAULTS]
    assert [rule["annotations"]["description"] for rule in rules] == [fault.cure for fault in FAULTS]
    assert "$" not in (FOLDER / "provisioning/alerting/rules.yaml").read_text()  # Grafana would put a variable there
    for rule in rules:
        assert left_out(rule, read_back(alerting.Rule, rule)) == []


def test_the_sources_have_the_names_that_panels_use_and_no_secret() -> None:
    content: Any = yaml.safe_load((FOLDER / "provisioning/datasources/velox.yaml").read_text())
    assert [(source["uid"], source["type"]) for source in content["datasources"]] == [
        (source.uid, source.plugin) for source in (PROMETHEUS, POSTGRES, INFLUX)
    ]
    for source in content["datasources"]:
        assert all(value.startswith("$") for value in source.get("secureJsonData", {}).values())


def test_a_panel_without_rows_says_what_it_needs() -> None:
    for board in DASHBOARDS:
        for panel in board.json()["panels"]:  # type: ignore[index,call-overload,union-attr]
            if panel["type"] != "row":
                assert re.search("VELOX_|DATABASE_URL|INFLUXDB", panel["fieldConfig"]["defaults"]["noValue"])


def test_what_a_desk_on_sqlite_and_delta_sees_comes_first() -> None:
    for uid in ("velox-desk", "velox-telemetry", "velox-ledger"):
        board = next(board for board in DASHBOARDS if board.uid == uid)
        sources = [panel.queries[0].source is PROMETHEUS for panel in board.panels()]
        assert sum(sources) >= 10 and sources == sorted(sources, reverse=True)
