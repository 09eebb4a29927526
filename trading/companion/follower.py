"""The follower, which projects the journal into points (executions, trailing_sl, strategy_metrics) behind the trades.

Its cursor moves on only when the spool has the points, and a point's time follows from the ledger's rows alone, so a
repeat after a crash writes the very same points again.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from timeseries.measurements import EXECUTIONS, STRATEGY_METRICS, TRAILING_SL, Measurement
from timeseries.recording.recorder import PROJECTING_SOURCE, Recorder
from trading.domain.chain import Body
from trading.duties import UPKEEP, Duty
from trading.models import Account, Fill, FollowerCursor, Journal, JournalHead, StopChange
from trading.transactions import reading, writing

BATCH = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PointFields = dict[str, str | float | None]  # of a point


class Follower:
    """The projection of all accounts' journals, for one companion, which alone holds the source of projections."""

    def __init__(self, recorder: Recorder | None = None, *, duty: Duty | None = None) -> None:
        self.duty = duty or Duty(UPKEEP)
        self.recorder = recorder or Recorder(
            settings.SPOOL_DIR,
            source=PROJECTING_SOURCE,
            account="main",
            zone=ZoneInfo(settings.TIME_ZONE),
            projecting=True,
            ordinals="restart",
        )

    def run_once(self) -> int:
        """Project new rows of every account's journal; return how many: none where another host does so.

        Raises: LedgerNotReady, LedgerBusy, SpoolFull, SpoolFailed, SourceBusy, DutyLost; what was not projected waits.
        """
        with reading():
            heads = list(JournalHead.objects.select_related("account"))
        if not self.duty.seek():
            return 0
        with reading():  # only now: another host's follower may have been at it
            cursors = dict(FollowerCursor.objects.values_list("account_id", "sequence"))
        behind = [head for head in heads if head.sequence > cursors.get(head.account_id, 0)]
        with self.duty.doing():
            return sum(self._follow(head.account, cursors.get(head.account_id, 0)) for head in behind)

    def close(self) -> None:
        """Seal the projected points and free their source, and give the duty back."""
        self.recorder.close()
        self.duty.release()

    def _follow(self, account: Account, after: int) -> int:
        """Project an account's rows after a sequence number; return how many."""
        with reading():
            rows = list(Journal.objects.filter(account=account, sequence__gt=after).order_by("sequence")[:BATCH])
            last = rows[-1].sequence if rows else JournalHead.objects.get(account=account).sequence
            for row in rows:
                body = json.loads(row.body)
                trade = body.get("trade")
                if trade is None:
                    continue
                tags = {"account": account.code, "strategy": trade["strategy"], "symbol": trade["symbol"]}
                if "fill" in body:
                    self._execution(tags, trade, body["fill"], body.get("realised"))
                for fill in body.get("fills", ()):  # of a trade that an import booked whole
                    self._execution(tags, trade, fill["fill"], fill.get("realised"))
                if "day" in body:
                    self._metrics(tags, trade, body)
                if "stop" in body:
                    self._stop(tags, trade, body["stop"])
        if rows:
            self.recorder.sync()
        # Only now: a crash before this projects the same points again, one after it loses none.
        with writing():
            FollowerCursor.objects.update_or_create(account=account, defaults={"sequence": last})
        return len(rows)

    def _execution(self, tags: dict[str, str], trade: Body, fill: Body, realised: Body | None) -> None:
        row = Fill.objects.get(trade_id=trade["pk"], sequence=fill["sequence"])
        # Over all strategies: a correction may move a trade to another one, a time must repeat exactly nevertheless.
        same = Fill.objects.filter(
            trade__account_id=row.trade.account_id,
            trade__instrument_id=row.trade.instrument_id,
            at=row.at,
            pk__lt=row.pk,
        ).count()
        fields: PointFields = {
            "trade_id": trade["trade_id"],
            "trade_pk": trade["pk"],
            **{name: fill[name] for name in ("fill_id", "order_id", "side", "role")},
            **{name: _float(fill[name]) for name in ("price", "quantity", "charges")},
            "pnl": None if realised is None else _float(realised["pnl"]),
        }
        self._point(EXECUTIONS, tags, fields, row.at, same)

    def _stop(self, tags: dict[str, str], trade: Body, stop: Body) -> None:
        at = datetime.fromisoformat(stop["at"])
        row = StopChange.objects.get(trade_id=trade["pk"], at=at, stop_price=stop["stop_price"])
        same = StopChange.objects.filter(
            trade__account_id=row.trade.account_id,
            trade__instrument_id=row.trade.instrument_id,
            at=at,
            pk__lt=row.pk,
        ).count()
        prices = {name: _float(stop[name]) for name in ("stop_price", "extreme_price")}
        self._point(
            TRAILING_SL,
            tags,
            {"trade_id": trade["trade_id"], "trade_pk": trade["pk"], **prices, "method": stop["method"]},
            at,
            same,
        )

    def _metrics(self, tags: dict[str, str], trade: Body, body: Body) -> None:
        realised, day = body["realised"], body["day"]
        row = Fill.objects.get(trade_id=trade["pk"], sequence=body["fill"]["sequence"])
        same = Fill.objects.filter(
            trade__account_id=row.trade.account_id, role=Fill.Role.EXIT, at=row.at, pk__lt=row.pk
        ).count()
        fields: PointFields = {
            "realised_pnl": _float(realised["pnl"]),
            "charges": _float(realised["charges"]),
            "day_pnl": _float(day["gross_pnl"]),
            "trades_closed": float(day["trades_closed"]),
            "wins": float(day["wins"]),
            "losses": float(day["losses"]),
        }
        self._point(STRATEGY_METRICS, tags, fields, row.at, same)

    def _point(
        self, measurement: Measurement, tags: dict[str, str], fields: PointFields, at: datetime, same: int
    ) -> None:
        """Write one point; ``same`` earlier ones of its series have the same instant, so it is that many ns later."""
        instant = (at - _EPOCH) // timedelta(microseconds=1) * 1000 + same
        self.recorder.project(measurement, tags, fields, time_ns=instant)


def _float(amount: str | float | None) -> float | None:
    return None if amount is None else float(amount)
