"""The proof that somebody has made from a page: one at a time, its progress and its outcome in a file."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DatabaseError, connections

from timeseries.spool import durable
from timeseries.spool.locks import READ, FileLock
from trading.proof.desk import prove_desk
from trading.proof.rows import Difference

DIFFERENCES_MAX = 500
NOTED_EVERY_SECONDS = 0.5

log = structlog.get_logger("system")


@dataclass(frozen=True, slots=True)
class ProofRun:
    """One proof of the desk: who asked for it, how far it is, and once it has ended its outcome.

    ``stage`` has ``done`` of ``total`` behind it; ``finished_at`` is None until the end, and for good where its process
    ended first. ``differences`` are the first `DIFFERENCES_MAX` of
    ``difference_count``; ``error`` says why there is no outcome.
    """

    by: str
    started_at: str
    stage: str = ""
    done: int = 0
    total: int = 0
    finished_at: str | None = None
    difference_count: int = 0
    differences: list[Difference] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    error: str = ""

    @property
    def is_proved(self) -> bool:
        """Whether it ended and nothing differs."""
        return self.finished_at is not None and not self.difference_count and not self.error


def newest_run() -> ProofRun | None:
    """Return the newest proof that was made from a page, None where none was or its file makes no sense."""
    try:
        entry = json.loads(_path().read_bytes())
        return ProofRun(**{**entry, "differences": [Difference(**row) for row in entry["differences"]]})
    except (OSError, AttributeError, KeyError, TypeError, ValueError):
        return None


def is_running() -> bool:
    """Tell whether a process makes a proof now."""
    try:
        with FileLock(_lock_path(), flags=READ) as lock:
            return not lock.take(shared=True)
    except OSError:  # nobody ever made one, or the disk cannot tell
        return False


def begin_proof(by: str) -> bool:
    """Begin a proof in a thread of this process; False where one is being made already. Raises: OSError."""
    lock = FileLock(_lock_path())
    try:
        if not lock.take():
            lock.close()
            return False
        run = ProofRun(by, _now())
        _note(run)
        threading.Thread(target=_prove, args=(run, lock), name="proof", daemon=True).start()
    except BaseException:
        lock.free()
        raise
    return True


def _prove(run: ProofRun, lock: FileLock) -> None:
    noted_at = time.monotonic()

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal noted_at
        if time.monotonic() - noted_at >= NOTED_EVERY_SECONDS:
            noted_at = time.monotonic()
            _note(replace(run, stage=stage, done=done, total=total))

    try:
        proof = prove_desk(progress=progress)
        outcome = replace(
            run,
            finished_at=_now(),
            difference_count=len(proof.differences) + proof.left_off,
            differences=proof.differences[:DIFFERENCES_MAX],
            checked=proof.checked,
        )
        _note(outcome)
    except Exception as error:
        if not isinstance(error, DatabaseError):
            log.error("the proof failed", error=str(error), exc_info=True)
        _note(replace(run, finished_at=_now(), error=f"{type(error).__name__}: {error}"))
    finally:
        connections.close_all()  # this thread's own
        lock.free()


def _note(run: ProofRun) -> None:
    durable.replace_file(_path(), json.dumps(asdict(run), default=str).encode())


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _path() -> Path:
    return Path(settings.DATA_DIR) / "proof_run.json"


def _lock_path() -> Path:
    return Path(settings.DATA_DIR) / "proof_run.lock"
