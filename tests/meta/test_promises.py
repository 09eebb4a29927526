"""docs/promises.md: everything it lists is there, and everything of its kinds that is there is listed."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern

import timeseries.errors
from timeseries.errors import VeloxError
from timeseries.measurements import TICKS
from timeseries.stores import candles
from timeseries.stores.tables import point_schema
from trading import errors
from trading.data_manager import DataManager
from trading.domain import cuts, figures, flags, periods, values
from trading.domain.limits import LimitState
from trading.feeds import ticks
from trading.health.faults import FAULTS
from trading.health.report import report
from trading.proof.rows import Difference
from trading.proof.verification import Proof
from trading.queries import history
from trading.queries.market_day import MarketDay
from trading.web import urls
from velox_site import logs
from velox_site import urls as site_urls

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
METHODS = [name for name in vars(DataManager) if not name.startswith("_") and name != "aio"]


def section(title: str) -> str:
    """Return the text below a heading, up to the next of its rank or above."""
    [(rank, start)] = [(len(m[1]), m.end()) for m in re.finditer(rf"^(#+) {re.escape(title)}$", PAGE, re.M)]
    return re.split(rf"^#{{1,{rank}}} ", PAGE[start:], maxsplit=1, flags=re.M)[0]


def table(title: str, number: int = 0) -> list[list[str]]:
    """Return the cells of a section's table, without its head."""
    tables = re.findall(r"(?:^\|.*\n)+", section(title), re.M)
    lines = tables[number].splitlines()[2:]
    # A line inside a cell's code (`a|b`) has no space beside it.
    return [[cell.strip() for cell in re.split(r"(?<=\s)\|(?=\s)", line[1:-1])] for line in lines]


def words(text: str) -> list[str]:
    """Return what stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


def after(start: str, end: str, text: str = PAGE) -> list[str]:
    """Return the words between two texts of the page."""
    return words(text.split(start, 1)[1].split(end, 1)[0])


def arguments(function: Any) -> str:
    """Return the arguments of a method as the page writes them."""
    texts: list[str] = []
    for parameter in list(inspect.signature(function).parameters.values()):
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in texts:
            texts.append("*")
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}".replace("'", '"')
        texts.append(f"{parameter.name}{default}")
    return ", ".join(text for text in texts if text != "self")


# -- the facade --------------------------------------------------------------------------------------------------------


def test_every_method_of_the_facade_is_listed_and_no_other() -> None:
    assert [words(name) for name, *_ in table("The facade", 1)] == [[name] for name in METHODS]


@pytest.mark.parametrize("name", METHODS)
def test_the_arguments_of_a_method_are_as_promised(name: str) -> None:
    [listed] = [row[1].strip("`") for row in table("The facade", 1) if row[0] == f"`{name}`"]
    assert listed == arguments(getattr(DataManager, name))


def test_the_facade_is_made_with_the_arguments_that_are_promised() -> None:
    assert f"`DataManager({arguments(DataManager.__init__)})`" in " ".join(PAGE.split())


def test_the_loggers_are_there() -> None:
    for name in logs.NAMES:
        assert f"{name}_log" in section("The facade")
        assert hasattr(logs, f"{name}_log")


@pytest.mark.parametrize(
    "kind",
    [values.Trade, values.Signal, values.TrailingStop, values.StrategyCounters, values.Pending, MarketDay, LimitState],
)
def test_the_fields_of_an_answer_are_as_promised(kind: Any) -> None:
    [listed] = [words(row[1]) for row in table("Its answers") if row[0] == f"`{kind.__name__}`"]
    assert listed == [field.name for field in fields(kind)]


def test_a_position_is_a_trade_with_more_fields() -> None:
    [listed] = [words(row[1])[1:] for row in table("Its answers") if row[0] == "`Position`"]
    assert [field.name for field in fields(values.Position)] == [*(f.name for f in fields(values.Trade)), *listed]


def test_the_flags_are_all_listed() -> None:
    assert set(after("Today they are:", "stands in an answer alone")) == {*flags.MEANINGS, flags.KNOWN_ALREADY}


def test_every_class_that_the_text_names_is_there() -> None:
    named = {
        word
        for word in words(re.sub(r"^```.*?^```", "", PAGE, flags=re.M | re.S))
        if re.fullmatch(r"([A-Z][a-z]+)+", word)
    }
    ours = {*errors.__all__, *vars(values), "DataManager", "MarketDay", "TickBatch", "LimitsNow", "LimitState"}
    assert named - ours == {"ValueError", "LookupError"}


# -- errors ------------------------------------------------------------------------------------------------------------


def test_every_error_is_listed_with_its_code_and_its_bases() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, VeloxError)}
    bases = {kind: {base.__name__ for base in kind.__bases__} - {"VeloxError", "Exception"} for kind in kinds}
    listed = {(words(row[0])[0], words(row[1])[0], frozenset(words(row[2]))) for row in table("Errors")}
    assert listed == {(kind.__name__, kind.code, frozenset(bases[kind])) for kind in kinds}


def test_one_import_has_every_error_of_telemetry() -> None:
    below = {name for name, kind in vars(timeseries.errors).items() if isinstance(kind, type)}
    assert below <= {*errors.__all__, "Exception"}
    assert set(errors.__all__) == {words(row[0])[0] for row in table("Errors")}


# -- reading and figures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("get_candles", candles.SCHEMA.names),
        ("get_executions", history.EXECUTIONS.names),
        ("get_trailing_sl_history", history.STOPS.names),
    ],
)
def test_the_columns_of_a_table_are_as_promised(name: str, columns: list[str]) -> None:
    assert [words(row[1]) for row in table("Reading") if row[0] == f"`{name}`"] == [columns]


def test_the_columns_of_ticks_are_there() -> None:
    [listed] = [words(row[1]) for row in table("Reading") if row[0] == "`get_ticks`"]
    assert set(listed) <= set(point_schema(TICKS).names)


def test_the_periods_of_candles_are_as_promised() -> None:
    assert after("`every` is one of", ".") == list(periods.PERIODS)


def test_the_keys_of_the_statistics_begin_as_promised() -> None:
    keys = list(figures.period_figures([], figures.Capital(0, [date(2024, 3, 15)], {}, {})))
    first = after("these keys in this order:", "Behind them:")
    assert keys[: len(first)] == first
    assert {*first, *after("Behind them:", ".", section("Statistics"))} == {*keys, "first_date", "last_date"}


def test_the_cuts_are_as_promised() -> None:
    assert after("`get_stats_by` cuts by", ";", section("Statistics")) == [*cuts.CUTS, "condition"]


# -- commands ----------------------------------------------------------------------------------------------------------


def test_every_command_is_listed_and_no_other() -> None:
    packages = ("velox_site", "lab", "trading", "timeseries")
    commands = {path.stem for package in packages for path in (ROOT / package).glob("management/commands/[a-z]*.py")}
    assert {words(row[0])[0] for row in table("Commands", 1)} == commands


def test_every_key_of_json_stands_in_the_code() -> None:
    sources = [
        path.read_text(encoding="utf-8")
        for package in ("lab", "trading", "timeseries")
        for path in (ROOT / package).rglob("*.py")
    ]
    written = set(re.findall(r"""["'](\w+)["']|^    (\w+): """, "\n".join(sources), re.M))
    names = {name for pair in written for name in pair}
    keys = {word for row in table("Commands", 1) for word in words(row[1])} - {
        "Trade",
        "Position",
        "make run",
        "--load",
        "--retry",
    }
    keys |= set(re.findall(r'"(\w+)"', section("The shapes")))
    assert len(keys) > 100
    assert keys - names == set()


def test_the_reasons_of_rejected_rows_are_as_promised() -> None:
    assert after("A REASON is one of", ".") == list(ticks.REASONS)


def test_a_proof_has_the_keys_that_are_promised() -> None:
    shape = section("The shapes").split("`verify_ledger`", 1)[1]
    keys = [*Proof([], {}, {}).as_dict(), *(field.name for field in fields(Difference))]
    assert keys
    assert [key for key in keys if f'"{key}"' not in shape] == []


def test_a_summary_has_the_keys_that_are_promised(ledger: Any) -> None:
    with DataManager() as dm:
        summary = dm.get_daily_summary("2024-03-15")
    assert list(summary) == ["date", "account", "currency", "strategies", "total"]
    promised = {*after("these keys in this order:", "Behind them:"), *after("Behind them:", ".", section("Statistics"))}
    assert {"strategy_id", "exposure_seconds"} <= set(summary["total"])
    assert set(summary["total"]) - promised == {"strategy_id", "exposure_seconds"}


def test_health_has_the_keys_and_parts_that_are_promised(ledger: Any) -> None:
    answer = report(now=datetime.now(UTC))
    assert list(answer) == ["status", "checked_at", "parts", "points", "feeds"]
    assert list(answer["parts"]) == after("A PART is one of", ".")
    assert list(answer["points"]) == after("POINTS are", ".")
    for state in answer["parts"].values():
        assert list(state) == ["status", "since", "latency_ms", "code", "detail", "cure"]


def test_every_code_of_health_is_listed_and_comes_from_the_table_of_faults() -> None:
    assert set(after("[faults.md](faults.md):", "`charges`:")) == {fault.code for fault in FAULTS}
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "trading" / "health").glob("*.py")]
    calls = [node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    states = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "State"]
    codes = {code.value for call in states for code in call.args[1:2] if isinstance(code, ast.Constant)}
    assert len(states) > 10 and codes == {""}


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_every_page_is_listed_and_no_other() -> None:
    routes = [*urls.urlpatterns, *(route for route in site_urls.urlpatterns if isinstance(route, URLPattern))]
    routes = {"/" + re.sub(r"<\w+:(\w+)>", r"<\1>", str(route.pattern)) for route in routes}
    routes = {route.replace("<name>", "") for route in routes} | {"/admin/"}
    assert set(words(section("Pages"))) - {'{"status"}', "down"} - {"/api/v1/", "/api/v1/docs/"} == routes


def test_every_variable_is_listed_and_no_other() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    listed = {name for row in table("Environment") for name in words(row[0])}
    assert listed == set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", example, re.M))


def test_every_target_of_make_is_listed_and_no_other() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert {words(row[0])[0].split()[1] for row in table("make")} == targets


def test_the_readme_leads_to_it() -> None:
    assert "(docs/promises.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
