"""What makes a trial the trial that it is, and what it brought: plain values, written as canonical JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from trading.domain.chain import JournalEntry, canonical
from trading.strategies.parameters import Setting


class TrialState(StrEnum):
    """What became of a trial."""

    FINISHED = "finished"
    FAILED = "failed"
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSetup:
    """A look at the data: what was tried, on which ticks, and how its orders were filled.

    ``code`` and ``ticks`` are digests: of the strategy's code and of each day's ticks. ``charges`` is the schedule or
    percentage that fills were charged by, ``none`` where they were not.
    """

    strategy: str
    code: str
    parameters: Mapping[str, Setting]
    account: str
    source: str | None
    symbols: Sequence[str]
    days: Sequence[date]
    ticks: Sequence[str]
    latency_ms: int
    slippage_ticks: int
    charges: str
    seed: int | None = None

    def as_body(self) -> JournalEntry:
        """Return the setup as it is written."""
        return {
            "strategy": self.strategy,
            "code": self.code,
            "parameters": dict(self.parameters),
            "account": self.account,
            "source": self.source,
            "symbols": list(self.symbols),
            "days": list(self.days),
            "ticks": list(self.ticks),
            "latency_ms": self.latency_ms,
            "slippage_ticks": self.slippage_ticks,
            "charges": self.charges,
            "seed": self.seed,
        }

    @property
    def key(self) -> str:
        """The digest of all of it: the same look again has the same."""
        return hashlib.sha256(canonical(self.as_body()).encode()).hexdigest()


class DayDigest(NamedTuple):
    """What one day of a trial brought, in units: P&L after known charges and known charges; how many trades it opened
    and closed, how many were open at its end, how many orders found no tick, and how many closed trades have unknown
    charges."""

    pnl: int = 0
    charges: int = 0
    opened: int = 0
    closed: int = 0
    censored: int = 0
    unfilled: int = 0
    uncharged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOutcome:
    """A trial and what became of it: a digest a day of its setup; of one that failed why, and no digests."""

    setup: TrialSetup
    state: TrialState = TrialState.FINISHED
    digests: Sequence[DayDigest] = ()
    failure: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    run: str = ""

    def as_body(self) -> JournalEntry:
        """Return the outcome as it is written."""
        return {
            "setup": self.setup.as_body(),
            "state": str(self.state),
            "digests": [list(digest) for digest in self.digests],
            "failure": self.failure,
            "versions": dict(self.versions),
            "run": self.run,
        }


def outcome_of(text: str) -> TrialOutcome:
    """Return the outcome that a row's body tells."""
    body = json.loads(text)
    setup = {**body["setup"], "days": tuple(map(date.fromisoformat, body["setup"]["days"]))}
    return TrialOutcome(
        setup=TrialSetup(**setup),
        state=TrialState(body["state"]),
        digests=tuple(DayDigest(*row) for row in body["digests"]),
        failure=body["failure"],
        versions=body["versions"],
        run=body["run"],
    )
