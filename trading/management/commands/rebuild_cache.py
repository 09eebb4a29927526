"""`manage.py rebuild_cache`: rebuild the hot state in Redis from the ledger and the spool."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from timeseries import wiring
from trading.companion.newest import copy_newest
from trading.errors import StoreUnavailable
from trading.hot import cache, comparisons, ledger_copy
from trading.management.base import VeloxCommand
from trading.queries.accounts import get_account


@dataclass(slots=True)
class Rebuilding:
    """A rebuilding: entries per account that were not the ledger's, newest values put, the comparisons before it."""

    shared: bool
    accounts: dict[str, dict[str, int]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    compared: dict[str, comparisons.Compared] = field(default_factory=dict)


class Command(VeloxCommand):
    help = "Make the hot state in Redis anew: positions, stops, counters, day sums, newest ticks and indicators."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", help="this account's book only (default: all)")
        parser.add_argument("--format", choices=("text", "json"), default="text")

    def answer(self, *, account: str | None) -> bool:
        if account is not None:
            get_account(account)
        now, report = datetime.now(UTC), Rebuilding(shared=cache.is_shared())
        if report.shared:
            report.compared = comparisons.last()
            try:
                for code in [account] if account is not None else ledger_copy.sequences():
                    report.accounts[code] = ledger_copy.rebuild(code, now)
                    comparisons.note(code, report.accounts[code], now)
                report.newest = copy_newest(wiring.open_spool())
            except ConnectionError as error:
                raise StoreUnavailable(
                    f"Redis does not answer: {error}.", hint="Start it or mend CACHE_URL."
                ) from error
        if self.form == "json":
            self.stdout.write(json.dumps(asdict(report)))
        elif not report.shared:
            self.stdout.write("No CACHE_URL is set: there is no shared hot state to rebuild.")
        else:
            for code, counts in report.accounts.items():
                self.stdout.write(f"{code}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
            self.stdout.write(", ".join(f"{count} {name}" for name, count in report.newest.items()))
            for code, before in report.compared.items():
                words = f"{before.wrong} wrong, {before.mended} mended in all"
                self.stdout.write(f"{code}: compared before at {before.at}, {words}")
        return True
