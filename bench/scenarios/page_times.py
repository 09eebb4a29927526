"""Pages over 100,000 trades and 20 million ticks; a play is one page, asked for once, and answers its time in µs.

The data folder is kept between runs; PAGES_TRADES asks for another number of trades. A fragment is what the live
overview draws after a tick of an open position, after a stop that moved, or after a fill. Words before a page's name:
`cold` forgets what the process keeps of the ledger, `orm` reads the same with objects of the ORM alone.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from statistics import fmean
from time import perf_counter, time_ns
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.utils import timezone

from bench import book
from trading.models import Account, Instrument, Strategy, Trade, User

book.TRADES = int(os.environ.get("PAGES_TRADES", book.TRADES))
YEARS = max(1, book.TRADES // 200_000)  # a desk of a million trades is one of five years; its last day is the same
book.FIRST -= timedelta(days=book.DAYS * (YEARS - 1) * 7 // 5)
book.DAYS *= YEARS

try:
    from timeseries.measurements import TICKS, TIMES, PointBatch
    from timeseries.stores.delta.store import DeltaStore
    from trading import summon
    from trading.data_manager import DataManager
    from trading.queries import kept
    from trading.web.live import OverviewLook
except ImportError:  # the former commit: its pages show nothing of ticks of a past day
    HAS_TICKS = False
else:
    HAS_TICKS = True

SYMBOLS, DAYS, TICKS_A_DAY, OPEN = 200, 20, 5_000, 8
TRADE = book.TRADES - book.TRADES // 200  # opened on one of the last days
SECOND = 10**9

PAGES = {
    "overview": "/",
    "trades": "/trades/",
    "trades by R": "/trades/?result=win&sort=-r",
    "trade": f"/trades/{TRADE}/",
    "trade with chart": f"/trades/{TRADE}/",  # and what its chart draws
    "prices": f"/trades/{TRADE}/prices/",
    "journal": f"/trades/{TRADE}/journal/",
    "calendar": "/calendar/",
    "day": "/days/{day}/",
    "strategies": "/strategies/?days=all",
    "strategy": "/strategies/{strategy}/?days=all",
    "symbols": "/symbols/?days=all",
    "symbol": "/symbols/{symbol}/?days=all",
    "signals": "/signals/",
    "brokers": "/brokers/",
    "reconcile": "/reconcile/",
    "health": "/health/",
    "system": "/system/",
    "logs": "/system/logs/",
    "new trade": "/trades/new/",
    "add fill": "/trades/{open}/fill/",
    "close": "/trades/{open}/close/",
    "admin": "/admin/",
    "admin list of trades": "/admin/trading/trade/",
    "admin list of signals": "/admin/trading/signal/",
    "admin list of the journal": "/admin/trading/journal/",
}


@contextmanager
def prepare() -> Iterator[Callable[[str], int]]:
    call_command("migrate", verbosity=0)
    weekdays = list(islice(book._weekdays(), book.DAYS + 1))
    if not Trade.objects.exists():
        with transaction.atomic():
            book.fill(weekdays)
        User.objects.create_superuser("bench")
    live = None
    if HAS_TICKS:
        fill_ticks(weekdays[-DAYS:])
        DeltaStore(settings.DELTA_DIR, zone=ZoneInfo(settings.TIME_ZONE)).keep_closed_days(now=time_ns())
        live = LiveDesk()
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="bench"))
    names = {
        "day": weekdays[-2].isoformat(),
        "strategy": str(Strategy.objects.get(code="bench 1").pk),
        "symbol": str(Instrument.objects.get(symbol="BENCH1").pk),
        "open": str(Trade.objects.filter(state="OPEN").values_list("pk", flat=True).first()),
    }
    references = {"overview": orm_overview, "trades": orm_trades, "trade": orm_trade, "strategies": orm_strategies}

    def play(line: str) -> int:
        words, _, name = line.rpartition("/")
        if words == "cold":
            forget()
        if live is not None and name in live.moves:
            live.moves[name]()
        started = perf_counter()
        if words == "orm":
            references[name]()
        elif live is not None and name in live.moves:
            assert live.look(False) is not None, "the look saw nothing move"
        else:
            address = PAGES[name].format(**names)
            answer = client.get(address)
            assert answer.status_code == 200, (address, answer.status_code)
            if name == "trade with chart":
                assert client.get(f"{address}chart/").json()["candles"]
        return round((perf_counter() - started) * 1e6)

    yield play


class LiveDesk:
    """Open positions, and what moves the live overview of them: a tick, or a booking."""

    def __init__(self) -> None:
        summon.summon = lambda: None  # no companion works beside what is measured
        self.desk, self.number, self.filled = DataManager(source="page-times"), 0, ""
        for number in range(OPEN if not Trade.objects.filter(state="OPEN").exists() else 0):
            at = datetime.now(UTC) - timedelta(minutes=OPEN - number)
            self.desk.open_position(f"open {number}", "bench 0", f"BENCH{number}", 500, 10, at, stop_price=450)
        self.look = OverviewLook("main")
        self.moves: dict[str, Callable[[], None]] = {
            "fragment": self.tick,
            "fragment after a moved stop": self.move,
            "fragment after a fill": self.fill,
        }
        self.look(True)

    def tick(self) -> None:
        self.number += 1
        assert self.desk.process_tick("BENCH0", {"ltp": 500 + self.number % 100 / 20})

    def move(self) -> None:
        self.number += 1
        stop = 450 + self.number % 100 / 20
        self.desk.update_trailing_sl("open 0", "bench 0", "BENCH0", stop, 500, "bench")

    def fill(self) -> None:
        """Open a trade, or close the one that the last fill opened."""
        if self.filled:
            self.desk.close_position(self.filled, "bench 0", "BENCH1", 501, datetime.now(UTC), exit_reason="target")
            self.filled = ""
        else:
            self.filled = f"filled {time_ns()}"
            self.desk.open_position(self.filled, "bench 0", "BENCH1", 500, 10, datetime.now(UTC), stop_price=450)


def forget() -> None:
    """Let the process keep nothing of the ledger, as one that has just started."""
    for answers in kept.all_kept:
        answers.clear()


def fill_ticks(days: list[date]) -> None:
    """Write the ticks of 200 symbols into the store, a day at a time; those that are there stay."""
    zone = ZoneInfo(settings.TIME_ZONE)
    store = DeltaStore(settings.DELTA_DIR, zone=zone)
    names = [f"BENCH{number}" for number in range(SYMBOLS)]
    series = tuple({"account": "main", "source": "bench", "symbol": name} for name in names)
    rows = SYMBOLS * TICKS_A_DAY
    written = store.last_written("bench", TICKS) or 0
    for place, day in enumerate(days):
        if written >= (place + 1) * rows:
            continue
        opens = round(datetime.combine(day, book.OPENS, UTC).timestamp()) * SECOND
        numbers = np.arange(rows)
        at = opens + numbers // SYMBOLS * 4_500 * 10**6
        absent = np.full(rows, np.nan)
        prices = np.round(500 + numbers % SYMBOLS + 20 * np.sin(numbers / 70_000), 2)
        columns = {field.name: absent for field in TICKS.fields} | {
            "kind": np.array(["price"] * rows, dtype=object),
            "close": prices,
            "bid": prices - 0.05,
            "ask": prices + 0.05,
            "day_volume": numbers * 10.0,
        }
        first = place * rows + 1
        times = (at,) * len(TIMES)
        sequences = np.arange(first, first + rows)
        store.write(PointBatch(TICKS, "bench", sequences, *times, numbers % SYMBOLS, series, columns))


def orm_overview() -> None:
    """The latest day's figures, its newest trades and what is open: loops over objects."""
    account = Account.objects.get(code="main")
    trades = Trade.objects.filter(account=account).select_related("strategy", "instrument__exchange", "account")
    day = timezone.localdate(trades.order_by("-closed_at").first().closed_at)
    start = datetime.combine(day, time.min, ZoneInfo(settings.TIME_ZONE))
    closed = list(trades.filter(closed_at__gte=start, closed_at__lt=start + timedelta(days=1)))
    _figures(closed)
    sorted(closed, key=lambda trade: trade.opened_at)[-8:]
    list(trades.filter(state="OPEN"))


def orm_trades() -> None:
    """The newest fifty and the totals of all: loops over objects."""
    trades = Trade.objects.filter(account__code="main").select_related("strategy", "instrument__exchange", "account")
    _figures(list(trades.order_by("-opened_at")))


def orm_trade() -> None:
    """A trade with what belongs to it."""
    trade = Trade.objects.select_related("strategy", "instrument__exchange", "account", "review").get(pk=TRADE)
    for related in (trade.fills, trade.stop_changes, trade.realisations, trade.signals, trade.corrections):
        list(related.all())


def orm_strategies() -> None:
    """Figures of each strategy: loops over objects."""
    groups: dict[str, list[Trade]] = defaultdict(list)
    for trade in Trade.objects.filter(account__code="main", state="CLOSED").select_related("strategy"):
        groups[trade.strategy.code].append(trade)
    for trades in groups.values():
        _figures(trades)


def _figures(trades: list[Trade]) -> None:
    nets = [trade.realised_pnl - (trade.charges or 0) for trade in trades]
    wins, losses = [net for net in nets if net > 0], [net for net in nets if net < 0]
    assert nets
    for some in (nets, wins, losses):
        sum(some), max(some, default=0), fmean(some) if some else 0
