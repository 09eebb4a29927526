"""`manage.py demo`: record a finished trading day to look at, in a data folder of its own. `make run` does all steps.

The account's book is decided by the first migration, so `--prepare` marks the folder as a demo and `--fill` migrates it
and records the day. `--look` lets the lab look at what is recorded: it takes as long as a search does, and the pages do
not wait for it. All may be repeated, or asked for at once: they complete what was cut off and add nothing.
"""

from __future__ import annotations

import gc
import json
import secrets
from argparse import ArgumentParser
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management import call_command

from trading import replay
from trading.data_manager import DataManager
from trading.demo.history import record_history, sessions_before
from trading.domain.sessions import Calendar, parse_hours, rows_for
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.files import write_file
from trading.models import Account, User
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.queries.accounts import get_account
from trading.queries.period import desk_zone
from trading.queries.sessions import calendar_of
from trading.simulator import simulate
from trading.strategies.base import nanoseconds
from trading.strategies.ema_cross import EmaCross
from trading.strategies.opening_range import OpeningRangeBreakout
from trading.strategies.together import Together

SEED = 8
ACCOUNT, SOURCE = "main", "simulator"
MARKER = "demo.json"  # in a data folder, it marks the folder as a demo's
USER, GROUPS = "demo", ("reviewer", "operator")
FULL_DAY = timedelta(minutes=375)  # for which the strategies' times are meant
CHARGE_PERCENT = Decimal("0.02")
CARRIED = frozenset({"RELIANCE"})  # the trade that is still open in the evening
SESSIONS = 60  # with the demo's day


@dataclass(frozen=True)
class DemoDay:
    """A demo's session, chosen once and kept in `demo.json`; ``filled`` spares a second run the work.

    ``sessions`` is how many it has: itself, and those before it, of which minutes are kept. ``looked``: the lab has
    looked at them.
    """

    day: date
    opens_at: datetime
    closes_at: datetime
    seed: int = SEED
    sessions: int = SESSIONS
    filled: bool = False
    looked: bool = False


class Command(VeloxCommand):
    help = "Prepare the demo's data folder, fill it with a finished trading day, look at it. `make run` does it all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--prepare", action="store_true", help="mark the (new) data folder as a demo")
        parser.add_argument("--fill", action="store_true", help="migrate, then record the demo's sessions")
        parser.add_argument("--look", action="store_true", help="let the lab search, backtest and compare on them")
        parser.add_argument(
            "--sessions", type=int, default=SESSIONS, help="with --prepare: how many, with the day itself (default: 60)"
        )

    def answer(self, *, prepare: bool, fill: bool, look: bool, sessions: int) -> bool:
        if not (prepare or fill or look):
            raise InvalidValue("No step was asked for.", hint="Give --prepare, --fill, --look, or several.")
        if prepare:
            prepare_folder(settings.DATA_DIR, now=datetime.now(UTC), sessions=sessions)
        if fill:
            self._migrate_and_fill(settings.DATA_DIR)
        if look:
            _look(settings.DATA_DIR)
        return True

    def _migrate_and_fill(self, folder: Path) -> None:
        day = read_day(folder)
        gc.freeze()  # what was loaded stays: collections of all that is made from here on need not look through it
        try:
            call_command("migrate", verbosity=0)
            self._fill(folder, day)
        finally:
            gc.unfreeze()  # else libraries of C++ complain at the end that nobody freed them

    def _fill(self, folder: Path, day: DemoDay) -> None:
        """Record what the demo has not recorded yet. Raises: InvalidValue for a real desk's ledger."""
        account = _demo_account()
        user = self._user(folder)
        if not (day.filled and account.trades.exists()):
            self.say(f"Recording a demo day: {day.day}, after {day.sessions - 1} sessions.")
            record_sessions_before(account, day, reviewer=user)
            record(day)
            write_day(folder, replace(day, filled=True))

    def _user(self, folder: Path) -> User:
        """Return the demo's user, with the password of the folder."""
        name, password = (folder / "login").read_text(encoding="utf-8").split()
        user: User
        user, is_new = User.objects.get_or_create(username=name, defaults={"is_staff": True})
        if is_new or not user.check_password(password):
            user.set_password(password)
            user.save()
        user.groups.add(*Group.objects.filter(name__in=GROUPS))
        return user


def _look(folder: Path) -> None:
    """Look at what is recorded, once. Raises: InvalidValue, for a folder that is no demo's or not filled."""
    day = read_day(folder)
    if not day.filled:
        raise InvalidValue("There is nothing to look at yet.", hint="Run `manage.py demo --fill` first.")
    if not day.looked:
        for step in settings.DEMO_STEPS:
            call_command(step, "--day", str(day.day))
        write_day(folder, replace(day, looked=True))


def prepare_folder(folder: Path, *, now: datetime, sessions: int = SESSIONS) -> None:
    """Mark a new folder as a demo's with its session, the last completed one, and a password; an old one stays.

    Raises: InvalidValue, for the folder of a real desk, and for less than one session.
    """
    if sessions < 1:
        raise InvalidValue(f"sessions is {sessions}.", field="sessions", hint="Give at least 1: the day itself.")
    if (folder / MARKER).exists():
        return
    if (folder / "ledger.sqlite3").exists():
        raise InvalidValue(
            f"{folder} holds a ledger that is no demo.", hint="Give the demo a folder of its own: VELOX_DATA_DIR."
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_file(folder / "login", f"{USER} {secrets.token_urlsafe(12)}\n")
    # The exchange's hours from the data file: there is no ledger yet that could tell.
    path = Path(apps.get_app_config("trading").path) / "data" / "exchange_sessions.json"
    calendar = Calendar(desk_zone())
    for hours in parse_hours(path.read_text(encoding="utf-8")):
        if hours.code == settings.VELOX_EXCHANGE:
            calendar = Calendar(desk_zone(), rows_for(hours.rows, hours.session_group))
            break
    session = calendar.last_completed(now)
    write_day(folder, DemoDay(session.day, session.opens_at, session.closes_at, sessions=sessions))


def read_day(folder: Path) -> DemoDay:
    """Return the day of a prepared folder.

    Raises: InvalidValue, when the folder is no demo's.
    """
    if not (folder / MARKER).exists():
        raise InvalidValue(
            f"{folder} is not prepared for a demo.", hint="Run `manage.py demo --prepare`, then migrate."
        )
    fields = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    times = {name: datetime.fromisoformat(fields[name]) for name in ("opens_at", "closes_at")}
    return DemoDay(
        day=date.fromisoformat(fields["day"]),
        seed=fields["seed"],
        sessions=fields.get("sessions", 1),
        filled=fields["filled"],
        looked=fields.get("looked", False),
        **times,
    )


def write_day(folder: Path, day: DemoDay) -> None:
    """Write the day of a folder. Raises: OutputFailed."""
    write_file((folder / MARKER), json.dumps(asdict(day), default=str, indent=1) + "\n")


def record_sessions_before(account: Account, day: DemoDay, *, reviewer: User) -> None:
    """Record the minutes and trades of the sessions before the day. Repeating it changes nothing."""
    if day.sessions <= 1:
        return
    before = sessions_before(calendar_of(settings.VELOX_EXCHANGE), day.opens_at, day.sessions - 1)
    record_history(account, before, day.day, source=SOURCE, seed=day.seed, reviewer=reviewer)


def record(day: DemoDay) -> None:
    """Record the day's ticks, trade on them, publish the summary. Repeating it changes nothing.

    The companion ships behind it: what it has not shipped yet is read from the spool.
    """
    symbols = simulate(nanoseconds(day.opens_at), nanoseconds(day.closes_at), seed=day.seed)
    feed = replay.feed_of(symbols)
    with DataManager.for_replay(source=SOURCE, account=ACCOUNT) as dm:
        todo = replay.missing(dm, feed, source=SOURCE)
        replay.run(dm, feed, Together(strategies(day.closes_at - day.opens_at)), todo=todo, pace=replay.Pace())
    publish_daily_summary(get_account(ACCOUNT), day.day, rebuild=True)


def strategies(session: timedelta) -> list[EmaCross | OpeningRangeBreakout]:
    """Return the demo's strategies, their times shortened with the session."""
    share = session / FULL_DAY
    shortened: list[EmaCross | OpeningRangeBreakout] = [
        EmaCross(candle=timedelta(minutes=1) * share, charge_percent=CHARGE_PERCENT),
        OpeningRangeBreakout(candle=timedelta(minutes=3) * share, charge_percent=CHARGE_PERCENT, carried=CARRIED),
    ]
    for strategy in shortened:
        strategy.square_off_before *= share
        strategy.no_entry_before *= share
    return shortened


def _demo_account() -> Account:
    account = get_account(ACCOUNT)
    if account.book != Account.Book.DEMO:
        raise InvalidValue(
            f"Account {ACCOUNT} is a {account.book} one: nothing is made up in it.",
            hint="A demo folder is prepared before its first migration.",
        )
    return account
