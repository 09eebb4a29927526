"""A command that takes long shows how far it is; one that is broken off leaves nothing half written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from trading.management import base
from trading.management.commands import verify_ledger
from trading.management.progress_bars import progress_bars
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.progress import Progress, listening, tell

AT = datetime(2024, 3, 15, 4, tzinfo=UTC)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "words",
    [
        ("reconcile", "--account", "\udcff"),
        ("backtest", "ema_cross", "--from", "2026-06-01", "--source", "\udcff"),
        ("record_trade", "\udcff", "LONG", "10", "2450", "--by", "asha"),
        ("signal_model", "train", "\udcff"),
    ],
    ids=lambda words: words[0],
)
def test_a_word_that_is_no_text_is_refused_in_one_line(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"is no text: '\\udcff'\. Write it in UTF-8\.") as refused:
        call_command(*words)
    assert refused.value.returncode == 2


def shown(stderr: io.StringIO, *, patience_seconds: float) -> str:
    """What stderr shows of some work."""
    with redirect_stderr(stderr):
        with progress_bars(patience_seconds=patience_seconds) as bars, listening(bars):
            tell("exits", 50, 200)
        tell("nobody listens", 1)
        return stderr.getvalue()


def test_what_is_told_is_shown_on_stderr_once_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert shown(Terminal(), patience_seconds=3600) == ""
    assert shown(io.StringIO(), patience_seconds=0) == ""
    bars = shown(Terminal(), patience_seconds=0)
    assert "exits" in bars and "50/200" in bars and "nobody" not in bars


@pytest.mark.parametrize(
    "words",
    [
        "strategy_report --format json",
        "symbol_report --format csv",
        "signal_report --format json",
        "daily_summary --from 2024-03-01 --to 2024-03-31 --format json",
        "trade_export --format csv",
        "trade_export --format json",
        "trade_export --format parquet",
        "trade_export --fills --format csv",
        "verify_ledger --format json",
    ],
)
@pytest.mark.usefixtures("ledger")
def test_a_command_that_is_broken_off_at_its_first_step_leaves_the_older_file(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought: dict[str, Any] = {"entry_price": 100, "quantity": 10, "entry_time": AT, "signal_conditions": {"rsi": 55}}
    open_position("main", "T1", "ema", "SBIN", **bought)
    close_position("main", "T1", "ema", "SBIN", exit_price=101, exit_time=AT + timedelta(minutes=5))
    older, steps = tmp_path / "reports" / "report", list[str]()
    older.parent.mkdir()
    older.write_text("older")

    def broken_off(stage: str, _done: int, _total: int) -> None:
        steps.append(stage)
        raise KeyboardInterrupt

    @contextmanager
    def bars(**_: float) -> Iterator[Progress]:
        yield broken_off

    for module in (base, verify_ledger):
        monkeypatch.setattr(module, "progress_bars", bars)
    with pytest.raises(CommandError, match="Broken off") as caught:
        call_command(*words.split(), "--output", str(older))
    assert len(steps) == 1 and caught.value.returncode == 130
    assert [path.read_text() for path in older.parent.iterdir()] == ["older"]
