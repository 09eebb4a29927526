"""The intake: what a strategy says while the ledger cannot answer, kept on disk and posted in order.

For who asks for it (`DataManager(ledger_intake=True)`). A fact is posted once: its id stands in the journal's rows that
it made, and where that can be in doubt the journal is asked first. While facts wait, later ones queue behind them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
from django.conf import settings

from trading.bookkeeping import arguments, journal
from trading.domain.values import Pending
from trading.errors import LedgerBusy, LedgerNotReady, VeloxError
from trading.intake_log import FrameLog, alone
from trading.models import Journal
from trading.operations.add_fill import add_fill
from trading.operations.apply_split import apply_split
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.operations.record_signal import record_signal
from trading.operations.set_charges import set_charges
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.transactions import aside, reading

OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "open_position": open_position,
    "add_fill": add_fill,
    "close_position": close_position,
    "update_trailing_sl": update_trailing_sl,
    "record_signal": record_signal,
    "set_charges": set_charges,
    "apply_split": apply_split,
}
TIMES = ("entry_time", "exit_time", "at")
CONDITIONS = ("signal_conditions", "conditions")
WAITING, POSTED, REFUSED = "waiting", "posted", "refused"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = structlog.get_logger("trade")


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact and what became of it; ``code`` and ``reason`` where it was refused."""

    sequence: int
    operation: str
    account: str
    trade_id: str | None
    queued_at: str
    state: str
    code: str = ""
    reason: str = ""
    decided_at: str | None = None


class Intake:
    """The intake of a data folder; every process has its own object for the same files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._facts, self._outcomes = FrameLog(folder / "facts"), FrameLog(folder / "outcomes")

    def take(self, name: str, account: str, said: tuple[Any, ...], more: Mapping[str, Any]) -> Any:
        """Return the operation's answer; a `Pending` where the ledger is busy or earlier facts wait.

        Raises: what the operation raises for what it is given; LedgerBusy where the disk does not take the fact.
        """
        fact = uuid4().hex
        is_behind = bool(self.waiting())
        try:
            with journal.from_intake(fact):
                if is_behind:
                    with aside():
                        return OPERATIONS[name](account, *said, **more)
                return OPERATIONS[name](account, *said, **more)
        except LedgerBusy as busy:
            return self._keep(fact, name, account, said, more, busy, is_tried=not is_behind)

    def waiting(self) -> list[dict[str, Any]]:
        """Return the facts that nothing has become of yet, in order."""
        decided = {one["fact"] for one in self._outcomes.frames()}
        return [one for one in self._facts.frames() if one["fact"] not in decided]

    def facts(self) -> list[Fact]:
        """Return every fact with its outcome, in order."""
        outcomes = {one["fact"]: one for one in self._outcomes.frames()}
        return [_shown(one, outcomes.get(one["fact"], {})) for one in self._facts.frames()]

    def post(self) -> int:
        """Post what waits, in order, until the ledger is busy again; return how many were decided.

        One process does it at a time; another returns 0.
        """
        with alone(self.folder / "post.lock") as is_ours:
            waiting = self.waiting() if is_ours else []
            for number, one in enumerate(waiting):
                # The one that a killed process may have posted, or whose own call may have: asked before done again.
                if not self._decide(one, is_in_doubt=number == 0 or one["is_tried"]):
                    return number
            return len(waiting)

    def _keep(
        self,
        fact: str,
        name: str,
        account: str,
        said: tuple[Any, ...],
        more: Mapping[str, Any],
        busy: LedgerBusy,
        *,
        is_tried: bool,
    ) -> Pending:
        arguments_ = {key: _plain(key, value) for key, value in _bound(name, said, more).items()}
        now = datetime.now(UTC)
        frame = {"fact": fact, "operation": name, "account": account, "arguments": arguments_, "is_tried": is_tried}
        try:
            kept = self._facts.append({**frame, "queued_at": now.isoformat()})
        except OSError as error:
            raise busy from error
        trade_id = arguments_.get("trade_id")
        log.warning("a fact waits for the ledger", operation=name, trade_id=trade_id, sequence=kept["sequence"])
        return Pending(sequence=kept["sequence"], operation=name, account=account, trade_id=trade_id, queued_at=now)

    def _decide(self, one: dict[str, Any], *, is_in_doubt: bool) -> bool:
        """Post one fact and write its outcome; False where the ledger cannot answer now."""
        trade_id = one["arguments"].get("trade_id")
        about = {} if trade_id is None else {"trade_id": trade_id}
        with structlog.contextvars.bound_contextvars(**about):  # as where the strategy itself reaches the ledger
            try:
                if not (is_in_doubt and _is_posted(one)):
                    with journal.from_intake(one["fact"]):
                        OPERATIONS[one["operation"]](one["account"], **one["arguments"])
            except (LedgerBusy, LedgerNotReady):
                return False
            except Exception as error:  # whatever it is, it must not keep the facts behind it from being posted
                self._refuse(one, error)
            else:
                self._outcomes.append({"fact": one["fact"], "state": POSTED, "decided_at": _now()})
            return True

    def _refuse(self, one: dict[str, Any], error: Exception) -> None:
        known = isinstance(error, VeloxError)
        code = error.code if isinstance(error, VeloxError) else type(error).__name__
        said = {"state": REFUSED, "code": code, "reason": str(error), "decided_at": _now()}
        self._outcomes.append({"fact": one["fact"], **said})
        log.error("a fact was refused", operation=one["operation"], error=str(error), exc_info=not known)


def of_this_folder() -> Intake:
    """Return the intake of the data folder."""
    return _intake_at(Path(settings.DATA_DIR) / "intake")


@cache
def _intake_at(folder: Path) -> Intake:
    return Intake(folder)


def _bound(name: str, said: tuple[Any, ...], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments by name, without the account."""
    bound = inspect.signature(OPERATIONS[name]).bind("", *said, **more).arguments
    return {key: value for key, value in bound.items() if key != "account_code"}


def _plain(name: str, value: Any) -> Any:
    """Return an argument, which the operation has checked already, as JSON that it takes for the same."""
    if value is None or isinstance(value, bool):
        return value
    if name in TIMES:
        return (arguments.required_time(value, name) - _EPOCH) // timedelta(microseconds=1) * 1000
    if name in CONDITIONS:
        return arguments.conditions_of(value, name)
    # A float by its shortest form, a Decimal and a number of numpy by theirs: what `money` reads.
    return value if isinstance(value, str) else float.__repr__(value) if isinstance(value, float) else str(value)


def _is_posted(one: dict[str, Any]) -> bool:
    """Tell whether the journal has a row of this fact."""
    since = datetime.fromisoformat(one["queued_at"]) - timedelta(minutes=1)  # its own first call came before
    with reading():
        rows = Journal.objects.filter(account__code=one["account"], recorded_at__gte=since)
        return rows.filter(body__contains=f'"intake":"{one["fact"]}"').exists()


def _shown(one: dict[str, Any], outcome: dict[str, Any]) -> Fact:
    trade_id = one["arguments"].get("trade_id")
    decided = {name: outcome[name] for name in ("state", "code", "reason", "decided_at") if name in outcome}
    told = {"sequence": one["sequence"], "operation": one["operation"], "account": one["account"]}
    return Fact(**told, trade_id=trade_id, queued_at=one["queued_at"], **{"state": WAITING, **decided})


def _now() -> str:
    return datetime.now(UTC).isoformat()
