"""Options that would do nothing: each is refused by its name, and nothing is done."""

from __future__ import annotations

import io
import shlex
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from trading.models import Journal

IDLE = [
    ("trade --pk 1 --day 2024-03-15", "--day does nothing beside --pk"),
    ("trade --pk 1 --strategy ema", "--strategy does nothing beside --pk"),
    ("trade --pk 1 --account main", "--account does nothing beside --pk"),
    ("void --pk 1 --day 2024-03-15 --by asha --reason slip", "--day does nothing beside --pk"),
    ("amend --pk 1 --day 2024-03-15 --price 9 --by asha --reason slip", "--day does nothing beside --pk"),
    ("opening_sales --cost 0", "--cost does nothing without --give"),
    ("opening_sales --on 2024-03-15", "--on does nothing without --give"),
    ("opening_sales --by asha", "--by does nothing without --give"),
    ("opening_sales --reason note", "--reason does nothing without --give"),
    ("reconcile --as-it-is", "--as-it-is does nothing without --approve"),
    ("reconcile --as asha", "--as does nothing without --approve"),
    ("reconcile --reason note", "--reason does nothing without --approve"),
    ("reconcile --approve x --plan zerodha", "--plan does nothing beside --approve"),
    ("reconcile --approve x --from 2024-03-15", "--from does nothing beside --approve"),
    ("reconcile --zone Asia/Kolkata", "--zone does nothing without a file"),
    ("reconcile --mapping own.toml", "--mapping does nothing without a file"),
    ("instruments --by asha", "--by does nothing without --load and --correct"),
    ("instruments --reason note", "--reason does nothing without --load and --correct"),
    ("instruments --known", "--known does nothing without --load"),
    ("instruments SBIN --load list.csv", "SYMBOL does nothing beside --load and --correct"),
    ("instruments --unreviewed --correct SBIN --lot 2", "--unreviewed does nothing beside --load and --correct"),
    ("instruments --known --correct SBIN --lot 2", "--known does nothing without --load"),
    ("alerts --channels --kind fault", "--kind does nothing beside --channels"),
    ("alerts --off ops --limit 0", "--limit does nothing beside --off"),
    ("alerts --test --account main", "--account does nothing beside --test"),
    ("corporate_actions --price 0", "--price does nothing without --confirm"),
    ("corporate_actions --by asha", "--by does nothing without --confirm and --dismiss"),
    ("corporate_actions --dismiss 1 --split 2:1", "--split does nothing beside --dismiss"),
    ("daily_summary --publish --as-known-on 2024-03-15", "--publish does nothing beside --as-known-on"),
    ("daily_summary --rebuild --symbol SBIN", "--rebuild does nothing beside --symbol"),
    ("daily_summary --publish --to 2024-03-15", "--publish does nothing beside --from"),
    ("ship --stay", "--stay does nothing without --watch"),
    ("ship --stay-with 1", "--stay-with does nothing without --watch"),
    ("produce --topic ticks --live kite --symbol SBIN", "--symbol does nothing beside --live"),
    ("produce --topic ticks --live kite --stamp end", "--stamp does nothing beside --live"),
    ("consume ticks --to other", "--to does nothing without --hand-over"),
    ("consume ticks --partition 0 --hand-over f --to b --until-end", "--until-end does nothing beside --hand-over"),
    ("consume ticks --take-over f --source b", "--source does nothing beside --take-over"),
    ("record --feed kafka ticks --instruments list.csv", "--instruments does nothing with --feed kafka"),
    ("record --feed kafka ticks --any-time", "--any-time does nothing with --feed kafka"),
    ("record --feed kite --instruments list.csv --times utc", "--times does nothing with --feed kite"),
    ("record --feed kite --instruments list.csv --python x", "--python does nothing with --feed kite"),
    ("record --feed ib --instruments list.csv --url wss://x", "--url does nothing with --feed ib"),
    ("record --feed ib --instruments list.csv --trades-url https://x", "--trades-url does nothing with --feed ib"),
    ("resend --since 2024-03-15 --give-up", "--give-up does nothing without --damaged"),
    ("patterns candles --from 2024-03-15 --width 0", "--width does nothing for candles"),
    ("patterns candles --from 2024-03-15 --count 5", "--count does nothing for candles"),
    ("optimize ema_cross --from 2024-03-15 --search grid --seed 7", "--seed does nothing of a grid"),
]


@pytest.mark.parametrize(("line", "words"), IDLE, ids=[line for line, _ in IDLE])
def test_an_option_that_would_do_nothing_is_refused(line: str, words: str, ledger: Any) -> None:
    before = Journal.objects.count()
    with pytest.raises(CommandError) as refused:
        call_command(*shlex.split(line), stdout=io.StringIO(), stderr=io.StringIO())
    assert refused.value.returncode == 2
    assert str(refused.value).startswith(words)
    assert Journal.objects.count() == before
