"""The intake: facts that a strategy reports while the ledger cannot answer, kept on disk and posted in order.

For who asks for it (`DataManager(ledger_intake=True)`). A fact is posted once: its id stands in the journal's rows that
it made, and where that can be in doubt the journal is asked first. While facts wait, later ones queue behind them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Concatenate, NotRequired, ParamSpec, TypeVar
from uuid import uuid4

import structlog
from django.conf import settings

from trading.account_operations import OPERATIONS
from trading.bookkeeping import arguments, journal
from trading.domain.chain import JSON
from trading.domain.values import Pending
from trading.errors import LedgerBusy, LedgerNotReady, LedgerUnconfirmed, VeloxError
from trading.intake_log import FrameLog, SequencedFrame, alone
from trading.models import Journal
from trading.transactions import aside, writing

TIMES = ("entry_time", "exit_time", "at")
CONDITIONS = ("signal_conditions", "conditions")
WAITING, POSTED, REFUSED = "waiting", "posted", "refused"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

P = ParamSpec("P")
Answer = TypeVar("Answer")

log = structlog.get_logger("trade")


class FactFrame(SequencedFrame):
    """A fact as its file has it; ``arguments`` by name, in the forms of JSON that the operation takes for the same."""

    fact: str  # a UUID
    operation: str
    account: str
    arguments: dict[str, Any]
    is_tried: bool  # its own call had reached the ledger
    queued_at: str


class OutcomeFrame(SequencedFrame):
    """The outcome of a fact as its file has it; ``code`` and ``reason`` where it was refused."""

    fact: str
    state: str
    code: NotRequired[str]
    reason: NotRequired[str]
    decided_at: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact and its outcome; ``code`` and ``reason`` where it was refused."""

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
        self._facts = FrameLog[FactFrame](folder / "facts")
        self._outcomes = FrameLog[OutcomeFrame](folder / "outcomes")

    def take(
        self, operation: Callable[Concatenate[str, P], Answer], account: str, *args: P.args, **kwargs: P.kwargs
    ) -> Answer:
        """Call the operation and return its answer; a `Pending` where the ledger is busy or earlier facts wait.

        Raises: what the operation raises for what it is given; LedgerBusy where the disk does not take the fact.
        """
        fact = uuid4().hex
        is_behind = bool(self.waiting())
        try:
            with journal.from_intake(fact), aside() if is_behind else nullcontext():
                return operation(account, *args, **kwargs)
        except (LedgerBusy, LedgerUnconfirmed) as busy:
            by_name = inspect.signature(operation).bind(account, *args, **kwargs).arguments
            del by_name["account_code"]
            pending: Answer = self._keep(fact, operation.__name__, account, by_name, busy, is_tried=not is_behind)
            return pending

    def waiting(self) -> list[FactFrame]:
        """Return the facts without an outcome yet, in order."""
        decided = {outcome["fact"] for outcome in self._outcomes.frames()}
        return [frame for frame in self._facts.frames() if frame["fact"] not in decided]

    def facts(self) -> list[Fact]:
        """Return every fact with its outcome, in order."""
        outcomes = {outcome["fact"]: outcome for outcome in self._outcomes.frames()}
        facts = []
        for frame in self._facts.frames():
            outcome = outcomes.get(frame["fact"])
            fact = Fact(
                sequence=frame["sequence"],
                operation=frame["operation"],
                account=frame["account"],
                trade_id=frame["arguments"].get("trade_id"),
                queued_at=frame["queued_at"],
                state=WAITING,
            )
            if outcome is not None:
                code, reason = outcome.get("code", ""), outcome.get("reason", "")
                fact = replace(fact, state=outcome["state"], code=code, reason=reason, decided_at=outcome["decided_at"])
            facts.append(fact)
        return facts

    def post(self) -> int:
        """Post what waits, in order, until the ledger is busy again; return how many were decided.

        One process does it at a time; another returns 0.
        """
        with alone(self.folder / "post.lock") as is_ours:
            waiting = self.waiting() if is_ours else []
            for number, frame in enumerate(waiting):
                # The one that a killed process may have posted, or whose own call may have: asked before done again.
                if not self._decide(frame, is_in_doubt=number == 0 or frame["is_tried"]):
                    return number
            return len(waiting)

    def _keep(
        self, fact: str, name: str, account: str, by_name: Mapping[str, Any], busy: VeloxError, *, is_tried: bool
    ) -> Any:
        """Write a fact down and return its `Pending`, in the place of the answer that the operation would have."""
        plain = {argument: _plain(argument, value) for argument, value in by_name.items()}
        now = datetime.now(UTC)
        frame: dict[str, JSON] = {
            "fact": fact,
            "operation": name,
            "account": account,
            "arguments": plain,
            "is_tried": is_tried,
        }
        try:
            kept = self._facts.append({**frame, "queued_at": now.isoformat()})
        except OSError as error:
            raise busy from error
        trade_id = kept["arguments"].get("trade_id")
        log.warning("a fact waits for the ledger", operation=name, trade_id=trade_id, sequence=kept["sequence"])
        return Pending(sequence=kept["sequence"], operation=name, account=account, trade_id=trade_id, queued_at=now)

    def _decide(self, frame: FactFrame, *, is_in_doubt: bool) -> bool:
        """Post one fact and write its outcome; False where the ledger cannot answer now."""
        trade_id = frame["arguments"].get("trade_id")
        about = {} if trade_id is None else {"trade_id": trade_id}
        with structlog.contextvars.bound_contextvars(**about):  # as where the strategy itself reaches the ledger
            try:
                if not (is_in_doubt and _is_posted(frame)):
                    with journal.from_intake(frame["fact"]):
                        OPERATIONS[frame["operation"]](frame["account"], **frame["arguments"])
            except (LedgerBusy, LedgerNotReady, LedgerUnconfirmed):
                return False
            except Exception as error:  # whatever it is, it must not keep the facts behind it from being posted
                code = error.code if isinstance(error, VeloxError) else type(error).__name__
                self._settle(frame, state=REFUSED, code=code, reason=str(error))
                is_bug = not isinstance(error, VeloxError)
                log.error("a fact was refused", operation=frame["operation"], error=str(error), exc_info=is_bug)
            else:
                self._settle(frame, state=POSTED)
            return True

    def _settle(self, frame: FactFrame, **outcome: str) -> None:
        self._outcomes.append({"fact": frame["fact"], **outcome, "decided_at": datetime.now(UTC).isoformat()})


_intakes: dict[Path, Intake] = {}


def of_this_folder() -> Intake:
    """Return the intake of the data folder."""
    folder = Path(settings.DATA_DIR) / "intake"
    if folder not in _intakes:
        _intakes.setdefault(folder, Intake(folder))
    return _intakes[folder]


def _plain(name: str, value: Any) -> JSON:
    """Return an argument, which the operation has checked already, as JSON that it takes for the same."""
    if value is None or isinstance(value, bool):
        return value
    if name in TIMES:
        return (arguments.required_time(value, name) - _EPOCH) // timedelta(microseconds=1) * 1000
    if name in CONDITIONS:
        return arguments.conditions_of(value, name)
    # A float by its shortest form, a Decimal and a number of numpy by theirs: what `money` reads.
    return value if isinstance(value, str) else float.__repr__(value) if isinstance(value, float) else str(value)


def _is_posted(frame: FactFrame) -> bool:
    """Tell whether the journal has a row of this fact."""
    since = datetime.fromisoformat(frame["queued_at"]) - timedelta(minutes=1)  # its own first call came before
    with writing():  # an answer that is confirmed
        rows = Journal.objects.filter(account__code=frame["account"], recorded_at__gte=since)
        return rows.filter(body__contains=f'"intake":"{frame["fact"]}"').exists()
