"""`manage.py trade`: one trade's life on one terminal screen."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from timeseries.wiring import open_reader
from trading.errors import UnknownTrade
from trading.management.base import VeloxCommand
from trading.management.output import add_format_arguments, emit
from trading.management.report import Report
from trading.management.trade_named import add_name_arguments, trade_pk
from trading.management.trade_screen import screen
from trading.models import Trade
from trading.queries.trade_life import TradeLife, trade_life


class Command(VeloxCommand):
    help = "One trade's life: why, fills, stops, prices, R, MAE and MFE, charges, review, journal."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_name_arguments(parser)
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, **options: Any) -> bool:
        pk = trade_pk(options)
        try:
            life = trade_life(pk, open_reader(), now=datetime.now(UTC))
        except Trade.DoesNotExist as error:
            raise UnknownTrade(f"There is no trade with the key {pk}.", field="pk") from error
        report = Report(f"Trade {life.row.trade.trade_id}", _data(life), [], screen(life))
        emit(report, form=options["format"], stdout=self.stdout, output=options["output"])
        return True


def _data(life: TradeLife) -> dict[str, Any]:
    row, review = life.row, life.row.review
    return {
        "pk": row.pk,
        **row.trade.as_dict(),
        "currency": life.currency,
        "result": row.result,
        "entry_price": row.entry_price,
        "r_multiple": row.r_multiple,
        "excursion": life.excursion_fields() or None,
        "fills": [
            {name: getattr(fill, name) for name in ("sequence", "side", "role", "price", "quantity", "charges", "at")}
            | {"pnl": pnl}
            for fill, pnl in life.fills
        ],
        "stops": [
            {name: getattr(stop, name) for name in ("at", "stop_price", "extreme_price", "method", "moved_back")}
            for stop in life.stops
        ],
        "signals": [
            {name: getattr(signal, name) for name in ("at", "decision", "reason", "conditions")}
            for signal in life.signals
        ],
        "review": None
        if review is None
        else {name: getattr(review, name) for name in ("state", "rating", "tags", "mistakes", "notes", "reviewed_at")},
        "journal": [
            {name: getattr(line, name) for name in ("sequence", "operation", "recorded_at", "recorded_by", "mac")}
            for line in life.journal
        ],
    }
