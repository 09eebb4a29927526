"""`manage.py trade`: show one trade's life on one terminal screen."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Unpack

from django.db.models import Model

from timeseries.wiring import open_reader
from trading.errors import UnknownTrade
from trading.management.base import VeloxCommand
from trading.management.output import add_format_arguments
from trading.management.report import Report, Value
from trading.management.trade_named import TradeOptions, add_name_arguments, trade_pk
from trading.management.trade_screen import screen
from trading.models import Trade
from trading.moment import one_moment
from trading.queries.trade_life import trade_life


class Command(VeloxCommand):
    help = "One trade's life: why, fills, stops, prices, R, MAE and MFE, charges, review, journal."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_name_arguments(parser)
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, **name: Unpack[TradeOptions]) -> bool:
        pk = trade_pk(name)
        try:
            with one_moment():
                life = trade_life(pk, open_reader(), now=datetime.now(UTC))
        except Trade.DoesNotExist as error:
            raise UnknownTrade(f"There is no trade with the key {pk}.", field="pk") from error
        row, review = life.row, life.row.review
        data = {
            "pk": row.pk,
            **row.trade.as_dict(),
            "currency": life.currency,
            "result": row.result,
            "entry_price": row.entry_price,
            "r_multiple": row.r_multiple,
            "excursion": life.excursion_fields() or None,
            "charges_estimated": life.charges_estimated,
            "fills": [
                {**_fields(fill, "sequence", "side", "role", "price", "quantity", "charges", "at"), "pnl": pnl}
                for fill, pnl in life.fills
            ],
            "stops": [
                _fields(stop, "at", "stop_price", "extreme_price", "method", "moved_back") for stop in life.stops
            ],
            "signals": [_fields(signal, "at", "decision", "reason", "conditions") for signal in life.signals],
            "review": review and _fields(review, "state", "rating", "tags", "mistakes", "notes", "reviewed_at"),
            "screenshots": [
                {
                    **_fields(picture, "format", "width", "height", "size", "sha256", "author", "recorded_at"),
                    "withdrawal": _fields(picture.withdrawal, "author", "reason", "withdrawn_at")
                    if hasattr(picture, "withdrawal")
                    else None,
                }
                for picture in life.screenshots
            ],
            "journal": [
                _fields(line, "sequence", "operation", "recorded_at", "recorded_by", "mac") for line in life.journal
            ],
        }
        self.emit(Report(f"Trade {row.trade.trade_id}", data, [], screen(life)))
        return True


def _fields(row: Model, *names: str) -> dict[str, Value]:
    return {name: getattr(row, name) for name in names}
