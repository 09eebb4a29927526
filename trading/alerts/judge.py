"""What is to be told of the faults that health shows: once when one stays, once when it is over."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trading.health.faults import BY_KEY, SHARED
from trading.health.report import HealthReport
from trading.health.state import DEGRADED, DOWN
from trading.models import Alert
from trading.operations.raise_alert import Notice

HELD = timedelta(seconds=5)  # no alert of what a single look saw
FORGOTTEN = timedelta(seconds=30)  # a finding away for so long was another one
OVER = timedelta(seconds=60)  # a fault away for so long is over
OVER_FLAPPING = timedelta(minutes=10)  # and one that was over within the last hour already
FLAPPING_WITHIN = timedelta(hours=1)
OF_THE_LEDGER = "ledger"  # in the place of a data folder, where each that shares the ledger sees the same


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look changes: alerts to raise, keys of alerts whose fault came back, and of those whose fault is over."""

    raised: list[Notice] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    over: list[str] = field(default_factory=list)


def fault_key(desk: str, *place: str) -> str:
    """Return the key of a fault's alert, by its part and code; without them what the keys of all faults begin with."""
    return ":".join(("fault", desk, *place))


def fault_notices(report: HealthReport, *, desk: str = "", is_on_duty: bool = True) -> dict[str, Notice]:
    """Return a notice for each part of a health report that is not well, by the alert's key.

    ``desk`` tells one data folder's faults from another's in a ledger that both use. What each of them sees alike, as
    a fault of the ledger's server, is told by the one that ``is_on_duty``.
    """
    notices = {}
    for name, row in report["parts"].items():
        is_shared = f"{name}/{row['code']}" in SHARED
        if row["status"] in {DEGRADED, DOWN} and (is_on_duty or not is_shared):
            key = fault_key(OF_THE_LEDGER if is_shared else desk, name, row["code"])
            text = f"{name} is {row['status']}: {row['detail']}"
            notices[key] = Notice(Alert.Kind.FAULT, key, text, component=name, code=row["code"], cure=row["cure"])
    return notices


class Judge:
    """The memory between two looks. One alert tells of a fault that comes and goes, and counts how often it came."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}
        self._seen: dict[str, datetime] = {}
        self._away: dict[str, datetime] = {}
        self._over: dict[str, datetime] = {}

    def look(self, notices: Mapping[str, Notice], lasting: Collection[str], now: datetime) -> Verdict:
        """Compare what is found now with the keys of the alerts that last; remember both for the next look."""
        verdict = Verdict()
        for key, notice in notices.items():
            if key in lasting:
                if self._away.pop(key, None) is not None:
                    verdict.again.append(key)
            elif now - _began(self._since, key, now) >= _held(notice):
                verdict.raised.append(notice)
            self._seen[key] = now
        for key in list(self._away):
            if key not in lasting:  # since the last look it was written that this is over
                self._over[key] = now
                del self._away[key]
        verdict.over.extend(
            key
            for key in lasting
            if key not in notices and now - _began(self._away, key, now) >= self._over_after(key, now)
        )
        for key, seen in list(self._seen.items()):
            if now - seen > FORGOTTEN:
                del self._seen[key]
                self._since.pop(key, None)
        return verdict

    def _over_after(self, key: str, now: datetime) -> timedelta:
        before = self._over.get(key)
        return OVER_FLAPPING if before is not None and now - before < FLAPPING_WITHIN else OVER


def _began(instants: dict[str, datetime], key: str, now: datetime) -> datetime:
    """Return since when a finding is there, from now on where it is new. A clock that was set back begins it anew: what
    it calls the future would count for nothing until then."""
    instants[key] = min(instants.get(key, now), now)
    return instants[key]


def _held(notice: Notice) -> timedelta:
    fault = BY_KEY.get(f"{notice.component}/{notice.code}")
    return max(HELD, timedelta(seconds=0.0 if fault is None else fault.hold_seconds))
