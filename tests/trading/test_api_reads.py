"""What a token reads: points as JSON, CSV and Arrow, pages without a gap, tags that move with the answer alone."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tests.trading.book import AT, MINUTE, closed, filled, opened, row
from tests.trading.test_api import ROOT, Caller, _fresh_rates, caller  # noqa: F401 - a fixture
from trading.api.cursors import place_of, text_of
from trading.api.tables import instant_texts
from trading.data_manager import DataManager
from trading.errors import InvalidValue
from trading.operations.amend import amend
from trading.operations.create_account import create_account
from trading.operations.record_signal import record_signal
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.queries.places import RowPlace

pytestmark = pytest.mark.usefixtures("proved", "alone")
ARROW = "application/vnd.apache.arrow.stream"
SPAN = "start=2024-03-15T03:45:00Z&stop=2024-03-16T00:00:00Z"


def ask(program: Caller, path: str, **headers: str) -> Any:
    return program.client.get(ROOT + path, headers=headers)


@pytest.fixture
def ticked(ledger: Any) -> DataManager:
    """Ten minutes of ticks, two in the second minute at one instant."""
    dm = DataManager(source="feed")
    for number in range(11):
        at = AT + MINUTE * (number if number < 2 else number - 1)
        assert dm.process_tick("TCS", {"ltp": 3520.05 + number / 8, "volume": 10 + number}, at=at)
    assert dm.cache_indicators("TCS", {"rsi": 61.5, "tiny": 1e-7}, at=AT)
    assert dm.cache_indicators("TCS", {"rsi": 62.5}, at=AT, timeframe="5m")
    assert dm.update_position_snapshot("ema cross", "TCS", 3521.5, 10, 14.5, 0.04, at=AT)
    return dm


def test_ticks_are_the_facades_in_each_form(ticked: DataManager) -> None:
    program, path = caller("read"), f"ticks?symbol=TCS&{SPAN}"
    table = ticked.get_ticks("TCS", AT, AT + timedelta(days=1))
    rows = ask(program, path).json()["ticks"]
    assert len(rows) == len(table) == 11
    assert rows[2]["time"] == "2024-03-15T04:01:00.000000001Z" and rows[2]["exchange_time"] == "2024-03-15T04:01:00Z"
    assert (rows[1]["close"], rows[1]["volume"], rows[1]["bid"], rows[1]["source"]) == ("3520.175", "11", None, "feed")
    stream = ask(program, path, Accept=ARROW)
    assert stream["Content-Type"] == ARROW
    assert pa.ipc.open_stream(stream.content).read_all() == table.replace_schema_metadata(None)
    sheet = ask(program, path, Accept="text/csv")
    assert sheet["Content-Type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(sheet.content.decode())))
    assert [line["close"] for line in lines] == [row["close"] for row in rows]
    assert lines[2]["time"] == rows[2]["time"] and lines[2]["bid"] == ""
    refused = ask(program, path, Accept="application/pdf")
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")


def test_candles_are_the_facades_and_small_numbers_have_no_exponent(ticked: DataManager) -> None:
    program = caller("read")
    path = f"candles?symbol=TCS&every=5m&{SPAN}"
    table = ticked.get_candles("TCS", "5m", AT, AT + timedelta(days=1))
    rows = ask(program, path).json()["candles"]
    assert [Decimal(row["close"]) for row in rows] == [Decimal(repr(close)) for close in table["close"].to_pylist()]
    assert rows[0]["time"] == "2024-03-15T04:00:00Z" and rows[0]["ticks"] == 6
    assert pa.ipc.open_stream(ask(program, path, Accept=ARROW).content).read_all() == table
    [point, _] = ask(program, f"indicators?symbol=TCS&{SPAN}").json()["points"]
    assert point["tiny"] == "0.0000001"
    newest = ask(program, "indicators/newest?symbols=TCS&symbols=INFY").json()["indicators"]
    assert [(each["symbol"], each["values"]["tiny"]) for each in newest] == [("TCS", "0.0000001")]
    [tick] = ask(program, "ticks/newest?symbols=TCS").json()["ticks"]
    assert (tick["last_price"], tick["time"]) == ("3521.3", "2024-03-15T04:09:00Z")
    [snapshot] = ask(program, f"snapshots?strategy_id=ema cross&symbol=TCS&{SPAN}").json()["points"]
    assert snapshot["price"] == "3521.5"
    assert ask(program, f"metrics?strategy_id=ema cross&{SPAN}").json() == {"points": [], "next": None}


@pytest.mark.parametrize("limit", [1, 2, 3, 11, 12])
def test_pages_of_points_follow_each_other_without_a_gap(ticked: DataManager, limit: int) -> None:
    for name in ("ticks", "indicators"):
        program, seen = caller("read", name=f"reader {name}"), []
        whole = ask(program, f"{name}?symbol=TCS&{SPAN}").json()
        key = "ticks" if name == "ticks" else "points"
        address: str | None = f"{ROOT}{name}?symbol=TCS&{SPAN}&limit={limit}"
        while address is not None:
            page = program.client.get(address)
            seen += page.json()[key]
            link = page.headers.get("Link")
            assert (link is None) == (page.json()["next"] is None)
            address = None if link is None else link[1 : link.index(">")]
        assert seen == whole[key]


def test_a_stretch_of_years_is_read_in_few_steps_and_more_is_refused(ticked: DataManager) -> None:
    program = caller("read")
    assert (
        len(ask(program, "ticks?symbol=TCS&start=2020-01-01T00:00:00Z&stop=2025-01-01T00:00:00Z").json()["ticks"]) == 11
    )
    for span in ("start=1990-01-01T00:00:00Z&stop=2025-01-01T00:00:00Z", f"{SPAN}&limit=0", f"{SPAN}&symbol=X", ""):
        assert ask(program, f"ticks?symbol=TCS&{span}").status_code == 422, span
    back = "start=2024-03-16T00:00:00Z&stop=2024-03-15T00:00:00Z"
    assert ask(program, f"candles?symbol=TCS&every=1m&{back}").json()["field"] == "start"
    assert ask(program, f"candles?symbol=TCS&every=2m&{SPAN}").json()["field"] == "every"


def test_times_are_whole_to_the_nanosecond() -> None:
    second = 1_710_475_200 * 10**9
    told = instant_texts([second, second + 500_000, second + 1, None, -1])
    assert told[:3] == ["2024-03-15T04:00:00Z", "2024-03-15T04:00:00.000500Z", "2024-03-15T04:00:00.000000001Z"]
    assert told[3:] == [None, "1969-12-31T23:59:59.999999999Z"]


def test_a_trade_is_there_whole_as_corrections_left_it() -> None:
    opened("T1", fill_id="F1", signal_conditions={"rsi": 61})
    filled("SELL", "2460", 4, fill_id="F2", charges="1.25")
    update_trailing_sl("main", "T1", "ema cross", "RELIANCE", "2445", "2460", "atr", at=AT + MINUTE)
    closed("T1")
    amend(row().pk, fill=2, price="2460.00000001", reason="typo", by="asha")
    whole = caller("read").get("trade/whole?trade_id=T1")[1]
    assert [(fill["role"], fill["price"], fill["fill_id"]) for fill in whole["fills"]] == [
        ("ENTRY", "2450.05", "F1"),
        ("EXIT", "2460.00000001", "F2"),
        ("EXIT", "2465", None),
    ]
    assert [step["stop_price"] for step in whole["stops"]] == ["2445"]
    assert [signal["conditions"] for signal in whole["signals"]] == [{"rsi": 61}]
    assert whole["trade"]["flags"].count("corrected") == 1


def test_the_other_reads_agree_with_the_facade() -> None:
    opened("T1", charges="2")
    closed("T1", charges="3.10")
    opened("T2", entry_time=AT + timedelta(minutes=9))
    program = caller("read")
    with DataManager() as dm:
        assert program.get("position?strategy_id=ema cross&symbol=RELIANCE")[1]["open_quantity"] == "10"
        cut = program.get("statistics/by?cut=symbol&days=all")[1]["parts"]
        assert [(row["key"], row["total_pnl"]) for row in cut] == [("RELIANCE", "144.4")]
        assert list(cut[0]) == list(dm.get_stats_by("symbol", None)[0])
        assert program.get("statistics/by?cut=condition")[1]["field"] == "condition"
        assert program.get("statistics/strategy?strategy_id=ema cross&days=all")[1]["total_trades"] == 1
        days = program.get("days?first=2024-03-01&last=2024-03-31")[1]
        assert days["days"][0]["date"] == "2024-03-15" and days["total"]["total_pnl"] == "144.4"
        assert program.get("days?first=2020-01-01&last=2024-03-31")[0] == 422
        market = program.get("market-day?symbol=TCS&at=2024-03-15T04:00:00Z")[1]
        assert (market["day"], market["opens_at"]) == ("2024-03-15", "2024-03-15T03:45:00Z")
        assert program.get("limits?strategy_id=ema cross")[1]["state"] in ("none", "unknown")
        assert program.get("statistics/today")[1]["total_trades"] == 0
        charges = program.get("charges")[1]
        assert charges["from"] == "2024-03-15" and set(charges) >= {"days", "total", "findings", "plan"}
        assert program.get("charges?plan=nobody")[1]["field"] == "plan"
        assert [row["trades_open"] for row in program.get("counters?strategy_id=ema cross")[1]["strategies"]] == [1]


def test_health_for_who_reads_has_no_words_of_its_parts() -> None:
    status, health = caller("read").get("health")
    assert status == 200 and health["parts"]["ledger"].keys() == {"status", "code", "since"}


def test_signals_of_all_strategies_come_a_page_at_a_time() -> None:
    for number in range(5):
        at = AT + MINUTE * (number // 3)
        record_signal("main", f"s{number}", "TCS", at, {"n": number}, decision="SKIPPED", reason="late")
    program, seen, following = caller("read"), [], ""
    while following is not None:
        page = program.get("signals?limit=2" + (f"&after={following}" if following else ""))[1]
        seen += [signal["conditions"]["n"] for signal in page["signals"]]
        following = page["next"]
    assert seen == [0, 1, 2, 3, 4]
    assert len(program.get("signals?strategy_id=s1")[1]["signals"]) == 1


def test_a_place_tells_nothing_and_leads_nowhere_in_another_account() -> None:
    place = RowPlace(datetime(2024, 3, 15, tzinfo=UTC), 41)
    text = text_of(place, "main")
    assert text == text_of(place, "main") and place_of(text, "main") == place and place_of(None, "main") is None
    for wrong in (text_of(place, "paper"), "x", "", "é", str(text)[:-4], "ab" + str(text)):
        with pytest.raises(InvalidValue):
            place_of(wrong, "main")


TAGGED = ["positions", "trades", "trade?trade_id=T1", "trade/whole?trade_id=T1", "day?day=2024-03-15"]
TAGGED += ["statistics/strategy?strategy_id=ema cross&days=all", f"candles?symbol=TCS&every=1m&{SPAN}"]


def test_a_tag_moves_with_what_the_answer_follows_from_and_with_nothing_else(ticked: DataManager) -> None:
    create_account("paper", book="paper", currency="INR", zone="Asia/Kolkata", capital=1, capital_date=AT.date())
    opened("T1")
    program = caller("read")

    def tags() -> dict[str, str]:
        return {path: ask(program, path)["ETag"] for path in TAGGED}

    def moved(before: dict[str, str]) -> set[str]:
        return {path.split("?")[0] for path, tag in tags().items() if tag != before[path]}

    before = tags()
    for path, tag in before.items():
        known = ask(program, path, If_None_Match=f'"other", W/{tag}')
        assert (known.status_code, known.content, known["ETag"]) == (304, b"", tag)
        assert ask(program, path, If_None_Match='"other"').status_code == 200
    opened("theirs", account_code="paper")
    with DataManager(source="theirs", account="paper") as dm:
        dm.process_tick("TCS", {"ltp": 1}, at=AT + timedelta(hours=1))
    assert moved(before) == set()
    update_trailing_sl("main", "T1", "ema cross", "RELIANCE", "2445", "2460", "atr", at=AT + MINUTE)
    assert moved(before) >= {"positions", "trades", "trade", "trade/whole"}
    before = tags()
    ticked.process_tick("TCS", {"ltp": 3521}, at=AT + timedelta(minutes=20))
    assert moved(before) == {"candles"}
    before = tags()
    ticked.process_tick("RELIANCE", {"ltp": 2470}, at=AT + timedelta(minutes=3))
    assert moved(before) == {"positions"}  # the mark
    closed("T1")
    before = tags()
    amend(row().pk, fill=2, price="2466", reason="typo", by="asha")
    assert moved(before) >= {"trade", "trade/whole", "day", "statistics/strategy"}


def test_tags_of_two_accounts_never_agree_and_a_refusal_has_none() -> None:
    create_account("paper", book="paper", currency="INR", zone="Asia/Kolkata", capital=1, capital_date=AT.date())
    mine, theirs = caller("read"), caller("read", account="paper")
    assert ask(mine, "trades").json() == ask(theirs, "trades").json()
    tag = ask(mine, "trades")["ETag"]
    assert ask(theirs, "trades", If_None_Match=tag).status_code == 200 != ask(mine, "trades", If_None_Match=tag)
    assert "ETag" not in ask(mine, "trade?trade_id=nothere").headers
    assert json.loads(ask(mine, "trade?trade_id=nothere", If_None_Match="*").content)["status"] == 404


def test_lists_of_the_ledger_are_sheets_too_with_what_json_says_of_each_row() -> None:
    opened("T1", strategy_id="=cmd|calc", stop_price="2440", signal_conditions={"rsi": 61, "note": "a,b"})
    closed("T1", strategy_id="=cmd|calc", exit_price="2449.05", charges="3.10")
    opened("T2", entry_time=AT + MINUTE)
    opened("T3", entry_time=AT + MINUTE)
    update_trailing_sl("main", "T2", "ema cross", "RELIANCE", "2445", "2460", "atr", at=AT + MINUTE)
    lists = {"positions": "positions", "trades": "trades", "signals": "signals", "stops": "stops"}
    lists |= {"counters": "strategies", "statistics/by?cut=strategy&days=all": "parts"}
    program = caller("read")
    for path, name in lists.items():
        answer, sheet = ask(program, path).json()[name], ask(program, path, Accept="text/csv")
        assert sheet["Content-Type"] == "text/csv; charset=utf-8" and sheet["Vary"] == "Accept"
        lines = list(csv.DictReader(io.StringIO(sheet.content.decode())))
        assert len(lines) == len(answer) > 0, path
        for line, fields in zip(lines, answer, strict=True):
            assert list(line) == list(fields), path
            for column, text in line.items():
                assert text.removeprefix("'") == in_a_cell(fields[column]), (path, column)
        assert ask(program, path, Accept="application/pdf").status_code == 406
    trades = ask(program, "trades", Accept="text/csv").content.decode().splitlines()
    assert trades[1].startswith("T1,'=cmd|calc,RELIANCE,main,LONG,CLOSED,0,2450.05,-10,3.1,2440,")
    assert ",2024-03-15T04:00:00Z," in trades[1]
    nothing = ask(program, "trades?symbol=INFY", Accept="text/csv").content.decode().splitlines()
    assert nothing == trades[:1]


def in_a_cell(content: Any) -> str:
    """Return how a value of JSON stands in a cell."""
    if isinstance(content, list):
        return " ".join(content)
    return json.dumps(content) if isinstance(content, dict) else "" if content is None else str(content)


def test_a_sheet_of_trades_is_followed_by_its_link_to_the_end() -> None:
    for number in range(5):
        opened(f"T{number}", entry_time=AT + MINUTE * (number // 3))
    for form in ("text/csv", "application/json"):
        program, seen = caller("read", name=form.replace("/", " ")), []
        address: str | None = f"{ROOT}trades?limit=2&state=OPEN"
        while address is not None:
            page = program.client.get(address, headers={"Accept": form})
            text = page.content.decode()
            rows = csv.DictReader(io.StringIO(text)) if form == "text/csv" else json.loads(text)["trades"]
            seen += [each["trade_id"] for each in rows]
            link = page.headers.get("Link")
            address = None if link is None else link[1 : link.index(">")]
        assert seen == ["T0", "T1", "T2", "T3", "T4"]
