"""`manage.py rebuild_cache`: the hot state made anew from the ledger and the spool."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from timeseries import wiring
from trading.companion.newest import copy_newest
from trading.errors import StoreUnavailable
from trading.hot import cache, comparisons, ledger_copy
from trading.management.base import VeloxCommand
from trading.queries.accounts import get_account


class Command(VeloxCommand):
    help = "Make the hot state in Redis anew: positions, stops, counters, day sums, newest ticks and indicators."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", help="this account's book only (default: all)")
        parser.add_argument("--format", choices=("text", "json"), default="text")

    def answer(self, **options: Any) -> bool:
        wanted = options["account"]
        if wanted is not None:
            get_account(wanted)
        report: dict[str, Any] = {"shared": cache.is_shared(), "accounts": {}, "newest": {}, "compared": {}}
        if report["shared"]:
            report["compared"] = {code: asdict(one) for code, one in comparisons.last().items()}
            self._rebuild(report, wanted)
        if options["format"] == "json":
            self.stdout.write(json.dumps(report))
        elif not report["shared"]:
            self.stdout.write("No CACHE_URL is set: there is no shared hot state to rebuild.")
        else:
            for account, found in report["accounts"].items():
                self.stdout.write(f"{account}: " + ", ".join(f"{number} {kind}" for kind, number in found.items()))
            self.stdout.write(", ".join(f"{number} {name}" for name, number in report["newest"].items()))
            for account, before in report["compared"].items():
                said = f"compared before at {before['at']}, {before['wrong']} wrong, {before['mended']} mended in all"
                self.stdout.write(f"{account}: {said}")
        return True

    def _rebuild(self, report: dict[str, Any], wanted: str | None) -> None:
        now = datetime.now(UTC)
        try:
            for account in [wanted] if wanted is not None else ledger_copy.sequences():
                report["accounts"][account] = found = ledger_copy.rebuild(account, now)
                comparisons.note(account, found, now)
            report["newest"] = copy_newest(wiring.open_spool())
        except ConnectionError as error:
            raise StoreUnavailable(f"Redis does not answer: {error}.", hint="Start it or mend CACHE_URL.") from error
