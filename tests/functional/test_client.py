"""`velox_client` against a served desk, and against the schema and the facade that it stands for."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

from tests.browser import environment, server
from tests.waiting import until
from timeseries.recording.recorder import TickBatch
from trading.data_manager import DataManager
from trading.domain import limits as limit_values
from trading.domain import values as facade_values
from trading.queries.market_day import MarketDay

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "clients" / "python"))
from velox_client import DataClient, errors  # noqa: E402
from velox_client import values as client_values  # noqa: E402
from velox_client.client import PAGE  # noqa: E402

NOT_THERE = {"for_replay", "aio"}
AT = datetime(2024, 3, 15, 4, 1, tzinfo=UTC)
TOKENS = """
from velox_site.desk import DataManager
from tests import page_desk
page_desk.trades(4)
page_desk.ticks(minutes=5)
print(page_desk.token("both", "read", "record"))
print(page_desk.token("reader", "read"))
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[tuple[str, str, str]]:
    """A served desk: its address, a token that reads and records, and one that reads."""
    data_dir = tmp_path_factory.mktemp("client") / "data"
    data_dir.mkdir()
    shutil.copy(migrated, data_dir / "ledger.sqlite3")
    shutil.copy(migrated.with_name("journal.key"), data_dir)
    command = [sys.executable, "-c", TOKENS]
    filled = subprocess.run(command, cwd=ROOT, env=environment(data_dir), check=True, capture_output=True, text=True)
    both, reader = filled.stdout.split()
    with server(data_dir) as address:
        yield address, both, reader


@pytest.fixture
def client(desk: tuple[str, str, str], socket_enabled: None) -> Iterator[DataClient]:
    with DataClient(desk[0], desk[1]) as client:
        yield client


def test_it_has_the_methods_of_the_facade_with_their_arguments() -> None:
    methods = {
        name for name, method in vars(DataManager).items() if not name.startswith("_") and callable(method)
    } - NOT_THERE
    for name in methods:
        wanted = inspect.signature(getattr(DataManager, name)).parameters
        offered = inspect.signature(getattr(DataClient, name)).parameters
        if name == "apply_split":
            continue  # refused in words
        assert [(each.name, each.kind, each.default) for each in offered.values()] == [
            (each.name, each.kind, each.default) for each in wanted.values()
        ], name


@pytest.mark.parametrize("kind", ["Trade", "Position", "Signal", "TrailingStop", "StrategyCounters"])
def test_its_values_have_the_fields_of_the_facades_and_of_the_schema(kind: str) -> None:
    own = [field.name for field in fields(getattr(client_values, kind))]
    assert own == [field.name for field in fields(getattr(facade_values, kind))]
    schema = json.loads((ROOT / "docs" / "openapi.json").read_text())["components"]["schemas"][kind]
    assert own == list(schema["properties"])


def test_its_other_values_are_the_facades_too() -> None:
    for own, facade in (
        (client_values.LimitsNow, limit_values.LimitsNow),
        (client_values.LimitState, limit_values.LimitState),
        (client_values.MarketDay, MarketDay),
        (client_values.TickBatch, TickBatch),
    ):
        assert [field.name for field in fields(own)] == [field.name for field in fields(facade)]


def test_its_errors_have_the_facades_codes_and_bases() -> None:
    from trading import errors as facade_errors

    for name, kind in vars(errors).items():
        theirs = getattr(facade_errors, name, None)
        if isinstance(kind, type) and issubclass(kind, errors.VeloxError) and theirs is not None:
            assert kind.code == theirs.code, name
            assert issubclass(kind, ValueError) == issubclass(theirs, ValueError), name
            assert issubclass(kind, LookupError) == issubclass(theirs, LookupError), name


def test_it_asks_only_what_the_schema_has() -> None:
    schema = json.loads((ROOT / "docs" / "openapi.json").read_text())
    paths = {path.removeprefix("/api/v1/") for path in schema["paths"]}
    source = (ROOT / "clients" / "python" / "velox_client" / "client.py").read_text()
    asked = set(re.findall(r'_(?:json|listed|table)\(\s*"([\w/-]+)"', source))
    assert len(asked) > 15 and asked <= paths


def test_a_script_records_and_reads_a_trade_as_the_facade_does(client: DataClient) -> None:
    position = client.open_position(
        "C1", "client", "RELIANCE", 2450.05, 10, AT, stop_price="2440.1", charges=Decimal("0.10")
    )
    assert (position.avg_price, position.opened_at, position.charges) == (Decimal("2450.05"), AT, Decimal("0.1"))
    assert client.add_fill("C1", "SELL", 2460, 4, AT + timedelta(minutes=1)).open_quantity == 6
    assert client.update_trailing_sl("C1", "client", "RELIANCE", 2445, 2460, "atr", at=AT + timedelta(minutes=2))
    assert [stop.stop_price for stop in client.get_trailing_stops(strategy_id="client")] == [2445]
    assert client.get_position("client", "RELIANCE").trade_id == "C1"
    trade = client.close_position("C1", "client", "RELIANCE", 2465, AT + timedelta(minutes=3), exit_reason="target")
    assert (trade.state, trade.realised_pnl) == ("CLOSED", Decimal("129.5"))
    assert client.open_position("C1", "client", "RELIANCE", 2450.05, 10, AT).flags == ("known_already", *trade.flags)
    signal = client.record_signal("client", "TCS", AT, {"rsi": 61.5}, decision="SKIPPED", reason="late")
    assert client.get_signals("client", AT, AT + timedelta(seconds=1)) == [signal]
    assert client.get_trades(strategy_id="client") == [client.get_trade("C1")]
    assert client.get_executions("C1").column("role").to_pylist() == ["ENTRY", "EXIT", "EXIT"]
    assert client.get_trailing_sl_history("C1").column("stop_price").to_pylist() == [2445.0]
    stats = client.get_strategy_stats("client", None)
    assert (stats["total_trades"], stats["win_rate"], stats["total_pnl"]) == (1, 100.0, Decimal("129.4"))
    assert client.get_stats_by("strategy", None)[0]["key"] == "client"
    assert client.get_daily_summary("2024-03-15")["total"]["total_trades"] == 5
    assert client.get_market_day("TCS", AT).opens_at == datetime(2024, 3, 15, 3, 45, tzinfo=UTC)
    assert client.health()["parts"]["ledger"]["status"] == "ok"
    assert client.get_strategy_counters("client").trades_open == 0
    assert client.get_open_positions() == [] and client.limits("client").limits == ()


def test_tables_are_whole_however_many_pages_they_come_in(client: DataClient) -> None:
    start, stop = AT - timedelta(hours=1), AT + timedelta(hours=1)
    ticks = client.get_ticks("RELIANCE", start, stop)
    assert len(ticks) == 60 and ticks.column("source").unique().to_pylist() == ["page-desk"]
    in_pages = client._transport.pages("ticks", {"symbol": "RELIANCE", "start": start, "stop": stop, "limit": 7})
    assert sum(1 for _ in in_pages) == 9
    candles = client.get_candles(["RELIANCE", "TCS"], "1m", start, stop)
    assert candles.column_names[:2] == ["symbol", "time"] and len(candles) == 5
    newest = client.get_latest_tick("RELIANCE")
    assert newest is not None and newest["time"] == ticks.column("time")[-1].value
    assert client.get_latest_tick("NOTHING") is None
    assert client.get_indicators("RELIANCE")["rsi"] > 49


def test_lists_of_many_pages_are_whole(client: DataClient, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = client.get_trades()
    monkeypatch.setattr("velox_client.client.PAGE", 1)
    assert PAGE > 1 and client.get_trades() == whole and len(whole) >= 3


def test_refusals_are_the_facades_errors(client: DataClient, desk: tuple[str, str, str]) -> None:
    with pytest.raises(errors.UnknownTrade) as unknown:
        client.get_trade("nothere")
    assert unknown.value.code == "unknown_trade" and unknown.value.field == "trade_id"
    with pytest.raises(errors.InvalidValue, match="quantity"):
        client.open_position("C2", "client", "TCS", 3500, -1, AT)
    with pytest.raises(errors.InvalidValue):
        client.open_position("C2", "client", "TCS", float("nan"), 1, AT)
    with pytest.raises(errors.NotTradable):
        client.open_position("C2", "client", "NIFTY 50", 22000, 1, AT)
    with DataClient(desk[0], desk[2]) as reader, pytest.raises(errors.Forbidden) as forbidden:
        reader.open_position("C2", "client", "TCS", 3500, 1, AT)
    assert forbidden.value.code == "scope_missing"
    with DataClient(desk[0], "velox_wrong") as nobody, pytest.raises(errors.Forbidden):
        nobody.get_open_positions()
    for call in (lambda: client.query_sql("SELECT 1"), lambda: client.set_charges("C1", 1, source="note")):
        with pytest.raises(errors.NotOffered):
            call()


def test_a_desk_that_is_away_is_asked_again_and_then_told(socket_enabled: None) -> None:
    with DataClient("http://127.0.0.1:9", "velox_x", patience_seconds=0.3) as client:
        with pytest.raises(errors.Unreachable):
            client.get_open_positions()
        assert not client.update_trailing_sl("C1", "client", "TCS", 1, 1, "atr")


def test_address_and_token_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("VELOX_URL", "VELOX_TOKEN", "VELOX_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(errors.InvalidValue):
        DataClient()
    monkeypatch.setenv("VELOX_URL", "http://127.0.0.1:9/")
    with pytest.raises(errors.InvalidValue):
        DataClient()
    (tmp_path / "token").write_text("velox_a\n")
    monkeypatch.setenv("VELOX_TOKEN_FILE", str(tmp_path / "token"))
    assert DataClient()._transport._headers == {"Authorization": "Bearer velox_a"}


def test_it_imports_neither_django_nor_anything_of_velox() -> None:
    ours = ("django", "trading", "timeseries", "velox_site")
    code = f"import sys, velox_client; print([n for n in sys.modules if n.split('.')[0] in {ours}])"
    settings = {"PYTHONPATH": str(ROOT / "clients" / "python")}
    command = [sys.executable, "-P", "-c", code]
    told = subprocess.run(command, env=settings, cwd="/", check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "[]"


def offline(rows: int, **more: Any) -> DataClient:
    return DataClient("http://127.0.0.1:9", "velox_x", queue_rows=rows, patience_seconds=0.01, **more)


def test_a_queue_is_bounded_and_counts_what_it_cannot_take(
    socket_enabled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("velox_client.telemetry.CLOSE_SECONDS", 0.05)
    client = offline(3)
    assert [client.process_tick("TCS", {"ltp": 1}, at=AT) for _ in range(4)] == [True, True, True, False]
    assert client.process_ticks([{"symbol": "TCS", "ltp": 1}, {"ltp": 1}]).rejected[0][0] == 1
    assert client.dropped == 2
    with pytest.raises(errors.FlushTimeout):
        client.flush(0.05)
    client.close()
    assert client.dropped == 5
    with pytest.raises(errors.RecorderClosed):
        client.process_tick("TCS", {"ltp": 1})
    until(lambda: not client._telemetry._sender.is_alive())
    with pytest.raises(errors.SpoolFull):
        offline(0, on_storage_fault="raise").process_tick("TCS", {"ltp": 1})


class Drawing:
    """What the notebook draws on, without a library that draws: it keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[tuple[Any, Any]] = []
        self.title = ""

    def subplots(self, **_: Any) -> tuple[None, Drawing]:
        return None, self

    def plot(self, times: Any, prices: Any, *_: Any, **__: Any) -> None:
        assert len(times) == len(prices) > 0
        self.lines.append((times, prices))

    def set_title(self, title: str) -> None:
        self.title = title

    def grid(self, **_: Any) -> None:
        pass


def test_the_notebook_plots_a_day(
    desk: tuple[str, str, str], socket_enabled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = Drawing()
    monkeypatch.setitem(sys.modules, "matplotlib", SimpleNamespace(pyplot=drawing))
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", drawing)
    monkeypatch.setenv("VELOX_URL", desk[0])
    monkeypatch.setenv("VELOX_TOKEN", desk[2])
    notebook = json.loads((ROOT / "examples" / "day.ipynb").read_text())
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            exec("".join(cell["source"]), names)
    assert len(names["candles"]) == 5 and len(drawing.lines) == 1 + 2 * len(names["trades"]) > 1
    assert drawing.title.startswith("RELIANCE on 2024-03-15")


def test_points_are_recorded_once_whatever_becomes_of_the_answers(
    desk: tuple[str, str, str], socket_enabled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = datetime(2024, 3, 15, 6, 0, tzinfo=UTC)
    with DataClient(desk[0], desk[1], patience_seconds=0.05) as client:
        pool = client._transport._pool
        request, lost = pool.request, iter([True, False, True, True, False, True, False, False, False])

        def cut(method: str, url: str, **more: Any) -> Any:
            """Send a request, and lose some answers to what records."""
            response = request(method, url, **more)
            if method == "POST" and next(lost, False):
                raise urllib3.exceptions.ProtocolError("the connection was cut")
            return response

        monkeypatch.setattr(pool, "request", cut)
        rows = [{"symbol": "CUT", "ltp": 100 + number, "timestamp": start} for number in range(1200)]
        assert client.process_ticks(rows).accepted == 1200
        assert client.cache_indicators("CUT", {"rsi": 50.5}, at=start)
        assert client.update_position_snapshot("client", "CUT", Decimal("100.5"), 1, at=start)
        assert client.process_tick("CUT", {"ltp": -1}, at=start)  # refused by the desk
        client.flush(60)
        assert client.dropped == 1
        stop = start + timedelta(hours=1)
        ticks = client.get_ticks("CUT", start, stop)
        assert ticks.column("close").to_pylist() == [100.0 + number for number in range(1200)]
        assert ticks.column("time")[-1].value == ticks.column("time")[0].value + 1199
        assert len(client.get_indicator_history("CUT", start, stop)) == 1
        assert len(client.get_position_history("client", "CUT", start, stop)) == 1
