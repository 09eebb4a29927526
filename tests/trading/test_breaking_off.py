"""A command that takes long shows how far it is; one that is broken off leaves nothing half written."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from trading.management import period_report
from trading.management.progress_bars import progress_bars
from trading.progress import listening, tell


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


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


@pytest.mark.usefixtures("ledger")
def test_a_report_that_is_broken_off_leaves_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = tmp_path / "reports" / "report.json"
    older.parent.mkdir()
    older.write_text("older")

    def broken_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(period_report, "selection", broken_off)
    with pytest.raises(CommandError, match="Broken off") as caught:
        call_command("strategy_report", "--format", "json", "--output", str(older))
    assert caught.value.returncode == 130
    assert [path.read_text() for path in older.parent.iterdir()] == ["older"]
