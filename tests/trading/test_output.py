"""Commands answer as a table, as CSV, as JSON and as a page."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from trading.domain.plain_json import to_json
from trading.management.output import FORMATS, OutputFailed, Report, Table, emit, render, to_csv

ROOT = Path(__file__).parents[2]
TABLE = Table(
    "The day",
    ["Strategy", "P&L", "Ratio", "Trades"],
    [["ema [red]cross[/]", Decimal("-123456.5"), 1.2345, 3], ["=1+1", None, None, 0]],
    currency="INR",
    coloured=frozenset({"P&L"}),
    last_is_total=True,
)
REPORT = Report("A <day>", {"pnl": Decimal("1E+3"), "at": datetime(2021, 4, 12, 3, 45, tzinfo=UTC)}, [TABLE], ["So."])


def test_json_is_one_object_with_plain_decimals_and_utc_times() -> None:
    assert json.loads(render(REPORT, "json")) == {"pnl": "1000", "at": "2021-04-12T03:45:00Z"}
    assert render(REPORT, "json").count("\n") == 1
    assert json.loads(to_json([Decimal("-0.00"), date(2021, 4, 12), "₹"])) == ["0", "2021-04-12", "₹"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN")])
def test_json_refuses_what_it_cannot_say(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON|Out of range"):
        to_json({"value": value})


def test_csv_keeps_numbers_and_disarms_formulas() -> None:
    rows = list(csv.reader(io.StringIO(to_csv([TABLE]))))
    assert rows == [
        ["Strategy", "P&L", "Ratio", "Trades"],
        ["ema [red]cross[/]", "-123456.5", "1.2345", "3"],
        ["'=1+1", "", "", "0"],
    ]


@pytest.mark.parametrize("text", ["=cmd", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "＝1"])
def test_no_text_cell_of_csv_can_run(text: str) -> None:
    cell = next(csv.reader(io.StringIO(to_csv([Table("", [text], [])]), newline="")))[0]
    assert cell == f"'{text}"


def test_a_table_shows_grouped_money_dashes_and_no_markup_of_a_name() -> None:
    shown = render(REPORT, "table")
    assert "-1,23,456.50" in shown and "—" in shown and "1.23" in shown
    assert "ema [red]cross[/]" in shown
    assert "\x1b" not in shown
    assert shown.rstrip().endswith("So.")


class Terminal(io.StringIO):
    """A terminal of as many columns as COLUMNS says."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [40, 60, 79, 80, 81, 120, 200])
def test_a_terminal_shows_each_figure_and_each_word_whole_and_no_line_is_wider(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    amounts = [Decimal("1234567.12345678") * 10**power for power in range(3)]
    cure = " ".join(f"word{number}" for number in range(60))
    names = ["P&L", "Charges", "Drawdown", "What is wrong", "What cures it"]
    row = ["opening_range", *amounts, cure, cure.upper()]
    table = Table("", ["Strategy", *names], [row, ["all", *amounts, "", "x"]], currency="INR", last_is_total=True)
    terminal = Terminal()
    emit(Report("", {}, [table]), form="table", stdout=terminal)
    text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert {len(line) for line in text.splitlines()} <= set(range(columns + 1))
    words = ["opening_range", "12,34,567.12345678", "12,34,56,712.345678", "Drawdown", *cure.split()]
    assert [word for word in (*words, *cure.upper().split()) if word not in text] == []


def test_a_pipe_shows_each_row_on_one_line_however_long() -> None:
    text = "a finding of many words, " * 40
    lines = render(Report("", {}, [Table("", ["Row", "Text"], [[1, text], [2, "x"]])]), "table").splitlines()
    assert [text.strip() in line for line in lines].count(True) == 1
    assert len(lines) == 7


def test_the_page_stands_alone_and_escapes_everything() -> None:
    class Tags(HTMLParser):
        seen: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.append(tag)
            assert not {"src", "href", "style", "onclick"} & {name for name, _ in attrs}

    page = render(Report("<script>", {}, [Table("<b>", ["<i>"], [["<img src=x>"]])]), "html")
    Tags().feed(page)
    assert not {"script", "img", "i", "b", "link"} & set(Tags.seen)
    assert {"html", "table", "caption", "td"} <= set(Tags.seen)
    assert "&lt;img src=x&gt;" in page


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_gets_what_the_standard_output_would_get(form: str, tmp_path: Path) -> None:
    stdout, target = io.StringIO(), tmp_path / "day of trading.out"
    emit(REPORT, form=form, stdout=stdout, output=str(target))
    assert stdout.getvalue() == ""
    emit(REPORT, form=form, stdout=stdout)
    assert target.read_bytes() == stdout.getvalue().encode()
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_a_file_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputFailed, match="cannot be written") as caught:
        emit(REPORT, form="json", stdout=io.StringIO(), output=str(tmp_path / "nowhere" / "out.json"))
    assert "\n" not in str(caught.value)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputFailed):
        emit(REPORT, form="json", stdout=io.StringIO(), output=str(tmp_path / "folder"))
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_link_leads_to_its_file_and_what_is_no_file_is_written_to_and_stays(tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "day.json", tmp_path / "newest.json", tmp_path / "pipe"
    target.write_text("old")
    link.symlink_to(target)
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for path in (link, pipe, Path("/dev/null")):
        emit(REPORT, form="json", stdout=io.StringIO(), output=str(path))
    assert (link.is_symlink(), target.read_text()) == (True, render(REPORT, "json"))
    assert (pipe.is_fifo(), os.read(reader, 2**16).decode()) == (True, render(REPORT, "json"))
    assert Path("/dev/null").is_char_device()
    os.close(reader)
    with pytest.raises(OutputFailed, match="No space left"):
        emit(REPORT, form="json", stdout=io.StringIO(), output="/dev/full")
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize(
    ("command", "more", "line"),
    [
        ("charge_schedule", {}, "No space left on device. Look at the disk"),
        ("spool", {}, "No space left on device. Look at the disk"),
        ("help", {}, "No space left on device. Look at the disk"),
        (
            "charge_schedule",
            {"VELOX_TIME_ZONE": "Nowhere"},
            "VELOX_TIME_ZONE is 'Nowhere': expected a zone of the tz database",
        ),
    ],
    ids=["full-disk", "full-disk-spool", "full-disk-help", "odd-setting"],
)
def test_what_keeps_a_command_from_answering_is_exit_2_and_one_line(
    command: str, more: dict[str, str], line: str, tmp_path: Path
) -> None:
    """1 would tell of findings: `verify_ledger > file` on a full disk, or a timer whose settings are wrong."""
    environment = {**os.environ, "VELOX_DATA_DIR": str(tmp_path / "data"), **more}
    environment.pop("PYTHONUNBUFFERED", None)
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "velox_site", command],
            cwd=ROOT, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (ended.returncode, line in ended.stderr, ended.stderr.count("\n")) == (2, True, 1)


@pytest.mark.parametrize("command", ["charge_schedule", "spool", "help"])
def test_an_answer_that_nobody_reads_any_more_is_exit_2_and_one_line(command: str, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "VELOX_DATA_DIR": str(tmp_path / "data")}
    ended = subprocess.run(
        [sys.executable, "-m", "velox_site", command],
        cwd=ROOT, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (ended.returncode, ended.stderr.removeprefix("CommandError: ")) == (2, "Nobody reads the answer any more.\n")
