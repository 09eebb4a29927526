"""query, resend, dead_letters and setup_influx as they are typed."""

from __future__ import annotations

import json
import re
import shutil
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from tests.timeseries.influx_server import faulty_influx
from timeseries import wiring
from timeseries.recording.recorder import Recorder
from trading import summon
from trading.data_manager import DataManager
from trading.errors import InvalidValue, QueryTimeout, WrongLanguage
from trading.management.commands.query import parameters_of
from trading.management.commands.resend import instant

TICKS = "SELECT source, symbol, time, close FROM ticks ORDER BY time"

pytestmark = pytest.mark.usefixtures("data_dir")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summon, "summon", lambda: None)


def said(name: str, *arguments: str) -> Any:
    out = StringIO()
    call_command(name, *arguments, "--format", "json", stdout=out)
    return json.loads(out.getvalue())


def record(settings: Any, count: int) -> None:
    recorder = Recorder(settings.SPOOL_DIR, source="default", account="main", zone=ZoneInfo(settings.TIME_ZONE))
    for n in range(count):
        assert recorder.tick("TCS", {"ltp": n + 1.0, "timestamp": 1_618_199_100_000_000_000 + n})
    recorder.close()


def test_a_question_in_a_file_is_answered_with_its_parameters(settings: Any, tmp_path: Path) -> None:
    record(settings, 3)
    assert wiring.open_pump().drain(20)
    (tmp_path / "q.sql").write_text("SELECT symbol, close FROM ticks WHERE close > $least ORDER BY time")
    found = said("query", str(tmp_path / "q.sql"), "--param", "least=1.5")
    assert found == {
        "columns": ["symbol", "close"],
        "rows": [{"symbol": "TCS", "close": 2.0}, {"symbol": "TCS", "close": 3.0}],
    }
    with pytest.raises(CommandError) as caught:
        call_command("query", str(tmp_path / "absent.sql"))
    assert caught.value.returncode == 2


def test_every_question_of_the_document_is_answered_by_the_minutes_and_days_that_it_says(
    settings: Any, tmp_path: Path
) -> None:
    record(settings, 3)  # of 12 April 2021, 03:45 in UTC
    assert wiring.open_pump().drain(20)
    text = (Path(__file__).parents[2] / "docs" / "measurements.md").read_text()
    questions = re.findall(r"^```sql\n(.*?)^```", text.replace("'RELIANCE'", "'TCS'"), re.M | re.S)
    answers = []
    for question in questions:
        (tmp_path / "q.sql").write_text(question)
        call_command("query", str(tmp_path / "q.sql"), stdout=(table := StringIO()))
        answers.append(said("query", str(tmp_path / "q.sql"))["rows"])
        assert str(next(iter(answers[-1][0].values()))) in table.getvalue()
    minutes, days, between = answers
    assert minutes == [{"minute": "2021-04-12T03:45:00", "open": 1, "high": 3, "low": 1, "close": 3, "ticks": 3}]
    assert days == [{"day": "2021-04-12", "ticks": 3}]
    assert [row["at"] for row in between][-1] == "2021-04-12 03:45:00.000000002"


@pytest.mark.parametrize(
    ("expression", "json_value"),
    [
        ("make_timestamp(1618199100000000)", "2021-04-12T03:45:00"),
        ("[make_timestamp_ns(1618199100000000001)]", ["2021-04-12T03:45:00.000000001"]),
        ("to_timestamp(1618199100)", "2021-04-12T03:45:00Z"),
        ("TIME '03:45:00'", "03:45:00"),
        ("'nan'::DOUBLE", None),
        ("'-inf'::DOUBLE", None),
    ],
)
def test_a_value_of_any_type_is_answered_as_it_stands(tmp_path: Path, expression: str, json_value: object) -> None:
    (tmp_path / "q.sql").write_text(f"SELECT {expression} AS x")
    assert said("query", str(tmp_path / "q.sql"))["rows"] == [{"x": json_value}]
    call_command("query", str(tmp_path / "q.sql"), stdout=StringIO())


@pytest.mark.parametrize("expression", ["'\\xAB'::BLOB", "['nan'::DOUBLE]"])
def test_a_value_without_a_word_in_json_is_refused(tmp_path: Path, expression: str) -> None:
    (tmp_path / "q.sql").write_text(f"SELECT {expression} AS x")
    with pytest.raises(CommandError, match="Cast it"):
        said("query", str(tmp_path / "q.sql"))


def test_a_table_has_the_stores_own_numbers(tmp_path: Path) -> None:
    question = tmp_path / "q.sql"
    question.write_text("SELECT 83.1225::DOUBLE AS price, -0.0042::DOUBLE AS step")
    call_command("query", str(question), stdout=(table := StringIO()))
    assert {"83.1225", "-0.0042"} <= set(table.getvalue().split())
    call_command("query", str(question), "--format", "csv", stdout=(sheet := StringIO()))
    assert sheet.getvalue().split() == ["price,step", "83.1225,-0.0042"]


def test_a_question_ends_with_its_time_limit_and_says_what_to_do(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range % 7 = 1")
    with pytest.raises(CommandError, match="--timeout") as caught:
        call_command("query", str(tmp_path / "q.sql"), "--timeout", "0.2")
    assert caught.value.returncode == 2
    with DataManager() as dm:
        with pytest.raises(QueryTimeout):
            dm.query_sql((tmp_path / "q.sql").read_text(), timeout=0.2)
        with pytest.raises(InvalidValue, match="timeout"):
            dm.query_sql("SELECT 1", timeout="long")


def test_the_facade_asks_the_store_that_is_on(settings: Any) -> None:
    with DataManager() as dm:
        assert dm.query_sql("SELECT $a + 1 AS b", {"a": 1}).to_pylist() == [{"b": 2}]
        with pytest.raises(WrongLanguage, match="query_sql"):
            dm.query_flux("from(bucket: bucket)")


def test_parameters_are_numbers_where_they_look_like_it() -> None:
    assert parameters_of(["a=1", "b=1.5", "c=M&M", "d="]) == {"a": 1, "b": 1.5, "c": "M&M", "d": ""}
    for bad in ("a", "=1", "a b=1"):
        with pytest.raises(InvalidValue):
            parameters_of([bad])


def test_kept_points_are_sent_again(settings: Any) -> None:
    record(settings, 3)
    assert wiring.open_pump().drain(20)
    assert said("resend", "--since", "2020-01-01") == {"points": 3, "refused": 0, "files": []}
    with pytest.raises(CommandError, match="no date"):
        call_command("resend", "--since", "yesterday")


def test_a_time_without_a_zone_is_the_desks() -> None:
    assert instant("2021-04-12T09:15") == instant("2021-04-12T03:45+00:00") == 1_618_199_100 * 10**9


def test_dead_letters_are_shown_with_their_reason_and_offered_again(settings: Any) -> None:
    record(settings, 3)
    with faulty_influx() as influx:
        settings.INFLUXDB_V2_URL = influx.url
        settings.INFLUXDB_V2_ORG = settings.INFLUXDB_V2_BUCKET = settings.INFLUXDB_V2_TOKEN = "velox"
        influx.behaviour.bad = lambda line: 400 * (b"close=2 " in line)
        assert wiring.open_pump().drain(20)
        out = StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("dead_letters", "--format", "json", stdout=out)
        (letter,) = json.loads(out.getvalue())["dead_letters"]
        assert (ended.value.code, letter["sequence"], letter["status"], letter["word"]) == (1, 2, 400, "unreadable")
        assert "close=2 " in letter["line"]
        influx.behaviour.bad = lambda line: 0
        assert said("dead_letters", "--retry") == {
            "dead_letters": [],
            "retried": {"stored": 1, "cleared": 0, "refused": 0},
        }
        none = StringIO()
        call_command("dead_letters", "--format", "csv", stdout=none)
        assert none.getvalue().startswith("Source,Measurement,")  # a table of no rows has its header


def test_set_up_without_its_variables_names_the_first_that_is_missing(settings: Any) -> None:
    settings.INFLUXDB_V2_URL = "http://127.0.0.1:9"
    with pytest.raises(CommandError, match="INFLUXDB_V2_ORG is not set"):
        call_command("setup_influx")


def test_days_that_are_over_are_archived_listed_verified_and_brought_back(settings: Any, tmp_path: Path) -> None:
    settings.VELOX_ARCHIVE_URL = (tmp_path / "archive").as_uri()
    settings.VELOX_KEEP_LOCAL_DAYS = -1  # not even the newest one
    record(settings, 3)
    assert wiring.open_pump().drain(30)
    assert [(row["measurement"], row["place"]) for row in said("archive", "--list")["days"]] == [("ticks", "here")]
    row = {"day": "2021-04-12", "measurement": "ticks", "place": "archive", "files": 1, "rows": 3}
    (moved,) = said("archive")["days"]
    assert {**moved, **row} == moved
    assert said("archive", "--verify") == {"faults": []}
    with DataManager(source="reader") as dm:
        assert dm.query_sql("SELECT count(*) AS n FROM ticks").to_pylist() == [{"n": 3}]
    assert said("archive", "--restore", "2021-04-12")["days"][0]["place"] == "both"
    for day, words in (("2021-04-13", "Nothing of 2021-04-13"), ("yesterday", "is no date")):
        with pytest.raises(CommandError, match=words):
            said("archive", "--restore", day)
    assert said("archive", "--adopt")["days"][0]["rows"] == 6  # listed twice, and counted once
    with DataManager(source="reader") as dm:
        assert dm.query_sql("SELECT count(*) AS n FROM ticks").to_pylist() == [{"n": 3}]


def test_a_store_that_was_lost_is_sent_again_and_made_whole_by_its_archive(settings: Any, tmp_path: Path) -> None:
    settings.VELOX_ARCHIVE_URL = (tmp_path / "archive").as_uri()
    settings.VELOX_KEEP_LOCAL_DAYS = -1  # not even the newest one
    record(settings, 3)
    assert wiring.open_pump().drain(30)
    said("archive")
    with DataManager(source="reader") as dm:
        ticks = dm.query_sql(TICKS).to_pylist()
    for segments in ("kept", "gone"):
        wiring._embedded.cache_clear()  # as the processes that come after it
        shutil.rmtree(settings.DELTA_DIR)
        if segments == "kept":
            assert said("resend", "--since", "2020-01-01")["points"] == 3
            with pytest.raises(CommandError, match=r"that of another data folder.*--adopt"):
                said("archive")
        said("archive", "--adopt")
        assert [row["place"] for row in said("archive")["days"]] == ["archive"]
        assert said("archive", "--verify") == {"faults": []}
        with DataManager(source="reader") as dm:
            assert len(ticks) == 3 and dm.query_sql(TICKS).to_pylist() == ticks
        assert (wiring.count_points()["stored"], [lane["missing"] for lane in wiring.audit_store()]) == (3, [0])


@pytest.mark.parametrize("url", ["ftp://desk/archive", "s3:desk"])
def test_an_address_that_is_none_of_an_archive_is_told(settings: Any, url: str) -> None:
    settings.VELOX_ARCHIVE_URL = url
    with pytest.raises(CommandError, match="is no address of an archive"):
        said("archive")


def test_without_an_address_there_is_no_archive() -> None:
    with pytest.raises(CommandError, match="Set VELOX_ARCHIVE_URL"):
        said("archive")
