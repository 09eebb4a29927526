"""`manage.py setup_influx`: make the buckets and the tokens of this desk on an InfluxDB 2."""

from __future__ import annotations

from argparse import ArgumentParser

from django.conf import settings

from timeseries.stores.influx.server import InfluxServer
from timeseries.stores.influx.setup import set_up
from timeseries.stores.influx.store import minutes_bucket
from timeseries.wiring import INFLUX_VARIABLES
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.files import read_text
from trading.management.output import add_format_arguments
from trading.management.report import Report, Table


class Command(VeloxCommand):
    help = (
        "Make this desk's bucket on InfluxDB, with the retention of VELOX_RETENTION_DAYS where it is set, a second one "
        "where one-minute candles stay for good, and two tokens: one that writes and reads both (INFLUXDB_V2_TOKEN of "
        "the desk), one that only reads them (for dashboards). A token is shown once. Repeating it changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--token-file", metavar="FILE", help="a token that may do this (default: INFLUXDB_V2_TOKEN)"
        )
        parser.add_argument("--new-tokens", action="store_true", help="make new tokens; the former ones end")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, *, token_file: str | None, new_tokens: bool) -> bool:
        token = str(settings.INFLUXDB_V2_TOKEN)
        if token_file is not None:
            token = read_text(token_file, field="token_file").strip()
        url, org, bucket = settings.INFLUXDB_V2_URL, settings.INFLUXDB_V2_ORG, settings.INFLUXDB_V2_BUCKET
        for name, setting in zip(("INFLUXDB_V2_URL", *INFLUX_VARIABLES), (url, org, bucket, token), strict=True):
            if not setting:
                raise InvalidValue(f"{name} is not set.", field=name, hint="Set it in .env or in the environment.")
        server = InfluxServer(url, org=org, token=token)
        done = set_up(server, bucket, retention_days=settings.VELOX_RETENTION_DAYS, new_tokens=new_tokens)
        beside = minutes_bucket(bucket)
        data = {
            "bucket": bucket,
            "done": done.bucket,
            "candles_bucket": beside,
            "candles": done.candles,
            "write_token": done.write_token,
            "read_token": done.read_token,
        }
        rows = [
            (f"bucket {bucket}", done.bucket),
            (f"bucket {beside}, of one-minute candles", done.candles),
            ("token of the desk (INFLUXDB_V2_TOKEN)", done.write_token or "made earlier"),
            ("token for reading", done.read_token or "made earlier"),
        ]
        notes = ["Keep the tokens now: they are not shown again."] if done.write_token or done.read_token else []
        if done.candles == "made" and not done.write_token:
            notes.append(
                "The tokens made earlier know nothing of the bucket of candles: --new-tokens makes some that do."
            )
        self.emit(Report("InfluxDB", data, [Table("InfluxDB", ["What", "Is"], rows)], notes))
        return True
