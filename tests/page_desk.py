"""A desk with one day of trades to look at, written through the operations. `python -m tests.page_desk` fills a folder.

Names are chosen to do harm where a page does not escape them: a symbol `<b>`, a strategy with quotes.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from trading.models import User

PASSWORD = "lakhpati-9"
EVIL_SYMBOL, EVIL_STRATEGY = "<b>", "say \"<i>\" & 'go'"
DAY = datetime(2024, 3, 15, tzinfo=UTC)
OPENING = DAY + timedelta(hours=3, minutes=50)  # 09:20 at the desk
PRICES = {"RELIANCE": 2450.05, "M&M": 760.0, "BAJAJ-AUTO": 3520.4, EVIL_SYMBOL: 101.25}
STRATEGIES = ("ema_cross", "opening_range", EVIL_STRATEGY)


def member(group: str, *, password: str | None = None) -> User:
    """Return the user of a group, made at the first call; `asha` may do everything. Without a password none logs in."""
    from django.contrib.auth.models import Group

    from trading.models import User

    known = User.objects.filter(username=group).first()
    if known is not None:
        return known
    if group == "asha":
        return User.objects.create_superuser("asha", password=password)
    user = User.objects.create_user(group, password=password, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


def trades(count: int, *, account: str = "main", first: int = 1) -> None:
    """Book trades 5 minutes apart, ids `T<first>` on: wins, losses, an even one, shorts, half without charges."""
    for number in range(first, first + count):
        trade(f"T{number}", number, account=account)


def trade(trade_id: str, number: int, *, account: str = "main") -> None:
    """Book one closed trade; what it is made of follows from the number."""
    from trading.operations.close_position import close_position
    from trading.operations.open_position import open_position
    from trading.operations.update_trailing_sl import update_trailing_sl

    symbol, strategy = list(PRICES)[number % len(PRICES)], STRATEGIES[number % len(STRATEGIES)]
    side, price, at = ("LONG", "SHORT")[number % 2], PRICES[symbol], OPENING + timedelta(minutes=5 * (number % 70))
    away = -8 if side == "LONG" else 8
    open_position(
        account,
        trade_id,
        strategy,
        symbol,
        entry_price=price,
        quantity=25,
        entry_time=at,
        side=side,
        stop_price=price + away,
        charges=11.8,
        signal_conditions={
            "ema_fast": round(price + 1, 2),
            "ema_slow": price,
            "regime": {"trend": "up"},
            "note": "<u>",
        },
    )
    update_trailing_sl(
        account, trade_id, strategy, symbol, price + away / 2, price - away, "ATR", at=at + timedelta(minutes=1)
    )
    close_position(
        account,
        trade_id,
        strategy,
        symbol,
        exit_price=round(price + (number % 9 - 4) * 1.35, 2),
        exit_time=at + timedelta(minutes=17, seconds=number % 60),
        exit_reason=("stop", "target", "session end")[number % 3],
        charges=None if number % 2 else 11.8,
    )


def closed_trade(trade_id: str, opened_at: datetime, closed_at: datetime, *, account: str = "main") -> None:
    """Book a trade that gained 1 a unit between these instants."""
    from trading.operations.close_position import close_position
    from trading.operations.open_position import open_position

    name = (account, trade_id, "ema_cross", "RELIANCE")
    open_position(*name, entry_price=100, quantity=10, entry_time=opened_at)
    close_position(*name, exit_price=101, exit_time=closed_at)


def open_trade(trade_id: str = "held", *, account: str = "main") -> None:
    """Book a trade that sold a part of what it bought and holds the rest."""
    from trading.operations.add_fill import add_fill
    from trading.operations.open_position import open_position

    at = OPENING + timedelta(hours=5)
    open_position(
        account,
        trade_id,
        "ema_cross",
        "RELIANCE",
        entry_price="2460.10",
        quantity=1200,
        entry_time=at,
        stop_price="2448",
    )
    add_fill(account, trade_id, "SELL", "2466.35", 400, at + timedelta(minutes=4))


def skipped(count: int, *, account: str = "main") -> None:
    """Record signals that were not taken."""
    from trading.operations.record_signal import record_signal

    for number in range(count):
        at = OPENING + timedelta(minutes=7 * number)
        conditions = {"spread": 0.4, "limit": 0.25}
        record_signal(account, "ema_cross", "M&M", at, conditions, decision="SKIPPED", reason="spread too wide")


def ticks(symbol: str = "RELIANCE", *, every_seconds: int = 5, minutes: int = 90) -> None:
    """Record a symbol's ticks from the opening of the exchange on, and an indicator, as a strategy would."""
    from trading import summon
    from trading.data_manager import DataManager

    summon.summon = lambda: None  # the points wait in the spool: no companion for a desk to look at
    with DataManager(source="page-desk") as dm:
        for number in range(minutes * 60 // every_seconds):
            at = OPENING - timedelta(minutes=5) + timedelta(seconds=number * every_seconds)
            price = round(PRICES[symbol] + 6 * math.sin(number / 60) + (number * 7 % 13) / 10, 2)
            dm.process_tick(symbol, {"ltp": price}, at=at)
            if not number % 12:
                dm.cache_indicators(symbol, {"ema_fast": round(price - 0.8, 2), "rsi": 50 + number % 30}, at=at)


def token(name: str = "notebook", *scopes: str, account: str = "main") -> str:
    """Make a token with which a program reads and return its secret."""
    from trading.operations.make_token import make_token

    return make_token(account, name, scopes or ("read",), by="asha").secret


def reviewed(trade_id: str, *, by: str = "asha", **other: str) -> None:
    """Keep a review of a trade of `main`."""
    from trading.models import Trade, User
    from trading.operations.review_trade import review_trade

    row = Trade.objects.get(account__code="main", trade_id=trade_id)
    said = {"rating": 4, "tags": ["late entry", "trend"], "mistakes": "chased", "notes": "Waited,\nthen <b>went</b>."}
    review_trade(row.pk, by=User.objects.get(username=by), **{**said, **other})


def screenshot(trade_id: str, *, by: str = "asha") -> None:
    """Keep a picture with the review of a trade of `main`."""
    from tests.trading.pictures import picture
    from trading.models import Trade
    from trading.operations.add_screenshot import add_screenshot

    add_screenshot(Trade.objects.get(account__code="main", trade_id=trade_id).pk, picture(), by=by)


def breaks() -> None:
    """Keep breaks of a broker's file: fills that the ledger lacks, one with another price, one that is nowhere else."""
    from dataclasses import replace

    from tests.trading.statements import line, statement
    from trading.operations.find_breaks import find_breaks
    from trading.operations.import_fills import import_fills

    lines = [line("1", "BUY", 10, "2450.05"), line("2", "SELL", 4, 2460), line("3", "SELL", 6, "2461.5")]
    import_fills("replay", statement([*lines[:2], line("4", "BUY", 7, 99)]))
    changed = replace(lines[1], price=lines[1].price + 1)
    find_breaks("replay", [statement([lines[0], changed, lines[2]])], now=datetime.now(UTC))


def alerts() -> None:
    """Keep a channel, and raise alerts: one that lasts and was given up, one that is over, one of a trade."""
    from trading.models import Alert
    from trading.operations.deliver_alerts import queue_deliveries, settle_deliveries, take_deliveries
    from trading.operations.raise_alert import Notice, raise_alerts, recover_alert
    from trading.operations.write_alert_channel import write_alert_channel
    from trading.queries.alerts import due_deliveries

    kind, minute = Alert.Kind, timedelta(minutes=1)
    row = write_alert_channel(f"phone {EVIL_SYMBOL}", "tgram://123456:secret-token/42", by="asha", now=OPENING)
    notices = [
        Notice(
            kind.FAULT,
            "fault:hot",
            "hot is degraded: Redis does not answer.",
            "",
            "hot",
            "cache_unreachable",
            "Start it.",
        ),
        Notice(
            kind.FAULT,
            "fault:disk",
            f"disk is degraded: {EVIL_SYMBOL} 0.9 GB free.",
            "",
            "disk",
            "disk_low",
            "Make room.",
        ),
        Notice(
            kind.TRADE,
            "trade:main:1",
            "₹1,234.50 (charges ₹3.00): LONG RELIANCE of ema_cross closed.",
            "main",
        ),
    ]
    raise_alerts(notices, now=OPENING)
    recover_alert("fault:disk", now=OPENING + 7 * minute)
    queue_deliveries({f"row:{row.pk}": row.label}, now=OPENING)
    for number, error in enumerate(("refused (HTTP 500)", "", "")):
        keys = [due_deliveries(f"row:{row.pk}", now=OPENING, limit=3)[0].pk]
        if take_deliveries(keys, now=OPENING):
            settle_deliveries(keys, error=error, now=OPENING + number * minute)


def feed_gap() -> None:
    """Keep a gap of a symbol with a long name."""
    from trading.models import Account, FeedGap

    at, main = OPENING + timedelta(hours=2), Account.objects.get(code="main")
    name = "NFO:BANKNIFTY24MAR47500CE"
    FeedGap.objects.create(account=main, symbol=name, day=DAY.date(), starts_at=at, ends_at=at + timedelta(minutes=15))


def lab() -> None:
    """Keep what commands of the lab told: a search, a backtest, other stops, a gap, and the card of a model."""
    import json
    from datetime import date
    from pathlib import Path

    from lab.operations.keep_model import keep_model
    from lab.operations.record_run import record_run

    answers = json.loads((Path(__file__).parent / "lab" / "told.json").read_text(encoding="utf-8"))
    days = date(2021, 4, 12), date(2021, 4, 23)
    for kind in ("optimize", "backtest", "stop_lab", "gap"):
        strategy = answers[kind]["strategy"]
        run = answers[kind].get("run", "")
        record_run(kind, json.dumps(answers[kind]), account="main", strategy=strategy, days=days, run=run)
    card = json.dumps(answers["signal_model"])
    keep_model(None, training="c0de" * 16, account="main", strategy="edgy", days=days, card=card)


def fill() -> None:
    """Fill an empty ledger with everything that the pages can show."""
    for group in ("asha", "viewer", "reviewer", "operator"):
        member(group, password=PASSWORD)
    trades(64)
    trades(3, account="replay", first=901)
    open_trade()
    skipped(5)
    ticks()
    reviewed("T3")
    breaks()
    feed_gap()
    lab()


if __name__ == "__main__":
    django.setup()
    fill()
