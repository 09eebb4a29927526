"""A desk whose lab has something of each kind: a backtest, a search, other stops, a model of signals."""

from __future__ import annotations

import io

SPAN = ("--from", "2021-04-12", "--to", "2021-04-23", "--format", "json")
SEARCH = (
    *("ema_cross", *SPAN, "--train-days", "4", "--test-days", "2", "--search", "grid", "--account", "main"),
    *("--vary", "fast=2:4", "--vary", "slow=5:9:2", "--set", "atr_period=3", "--set", "quiet_share=0"),
)
BACKTEST = ("ema_cross", *SPAN, "--account", "main", "--set", "fast=3", "--set", "slow=7", "--set", "quiet_share=0")
STOPS = ("byhand", *SPAN, "--account", "main", "--stop", "50", "--trail", "30", "--hold-out", "1")
GAP = ("--account", "main", "--strategy", "ema_cross", *SPAN, "--set", "fast=3", "--set", "slow=7")
TRAINING = ("train", "edgy", "--format", "json")
COMMANDS = {"optimize": SEARCH, "backtest": BACKTEST, "stop_lab": STOPS, "gap": GAP, "signal_model": TRAINING}


def answered(command: str) -> str:
    """Run one of the commands and return the JSON that it writes."""
    from django.core.management import call_command

    out = io.StringIO()
    call_command(command, *COMMANDS[command], stdout=out, stderr=io.StringIO())
    return out.getvalue()


def filled() -> None:
    """Record ticks, trades and signals, and let each command tell something once; the search first."""
    from datetime import UTC, datetime, timedelta

    from tests.lab import signals_made
    from tests.lab.test_optimize import record_days
    from trading.data_manager import DataManager

    record_days()
    opens = datetime(2021, 4, 12, 4, tzinfo=UTC)
    with DataManager(source="nse") as dm:
        for day in range(3):
            at = opens + timedelta(days=day if day < 2 else 3)
            dm.open_position(f"B{day}", "byhand", "RELIANCE", 1900, 2, at)
            dm.close_position(f"B{day}", "byhand", "RELIANCE", 1903 - day, at + timedelta(minutes=30))
    signals_made.planted()
    for command in COMMANDS:
        answered(command)
