"""Answers kept under the `Idempotency-Key` of a ledger call, so that the same call again hears the same.

They are no second truth: what is true stands in the ledger, where each call has a natural key. An answer is a file of
this host, and it holds only while the journal still has the row with which it ended: after a restore of an older copy
the call is carried out. A call that was refused leaves nothing, and one that was killed is carried out by its repeat.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import orjson
import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Header, Schema
from pydantic import StringConstraints

from timeseries.spool import durable
from timeseries.spool.locks import FileLock
from trading.api.desk import recording, token_of
from trading.api.problems import KeyReused, StreamBusy
from trading.api.shapes import Sent
from trading.data_manager import DataManager
from trading.domain.plain_json import to_json
from trading.errors import LedgerUnconfirmed
from trading.models import ApiToken
from trading.queries.journal_ends import holds_end, journal_end
from trading.transactions import ask

log = structlog.get_logger("system")

IdempotencyKey = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")] | None, Header(alias="Idempotency-Key")
]
Reply = TypeVar("Reply")


def once(
    request: HttpRequest, key: str | None, body: Sent, shape: type[Schema], call: Callable[[DataManager], Reply]
) -> Reply | HttpResponse:
    """Carry out a ledger call and return its answer; under a key that is known, return what was answered then.

    Raises: KeyReused, StreamBusy, and whatever the call raises.
    """
    with recording(request) as desk, ExitStack() as held:
        if key is None:
            return call(desk)
        token = token_of(request)
        digest = hashlib.sha256(f"{request.path}\n{to_json(body.model_dump())}".encode()).hexdigest()
        try:
            path = held.enter_context(_file_of(token, key))
            text = _answer_in(path, token, digest)
        except OSError as error:  # a disk that takes no file keeps no trade from the ledger
            log.warning("the answer to a call is not kept", idempotency_key=key, error=str(error))
            return call(desk)
        if text is None:
            try:
                text = to_json(shape.model_validate(call(desk), from_attributes=True).model_dump())
            except LedgerUnconfirmed:
                raise  # it may be in the ledger: the key stays with this call
            except Exception:
                path.unlink()  # what is put right may come under the same key
                raise
            sequence, mac = ask(journal_end, token.account_id)
            with suppress(OSError):
                _write(path, {"request": digest, "sequence": sequence, "mac": mac, "answer": text})
        return HttpResponse(text, content_type="application/json")


def _answer_in(path: Path, token: ApiToken, digest: str) -> str | None:
    """Return the answer that is kept, None where the call is to be carried out. Raises: KeyReused."""
    kept = {}
    with suppress(orjson.JSONDecodeError):  # of one that is new
        kept = orjson.loads(path.read_bytes())
    if kept and "answer" in kept and not ask(holds_end, token.account_id, kept["sequence"], kept["mac"]):
        kept = {}  # of a ledger that is not here any more
    if not kept:
        _write(path, {"request": digest})
    elif kept["request"] != digest:
        raise KeyReused("This key came with another call.", field="Idempotency-Key", hint="Take a new one for each.")
    answer: str | None = kept.get("answer")
    return answer


@contextmanager
def _file_of(token: ApiToken, key: str) -> Iterator[Path]:
    """Yield the file of a key, which nobody else has meanwhile. Raises: StreamBusy."""
    today = datetime.now(UTC).date()
    name = hashlib.sha256(f"{token.sha256} {key}".encode()).hexdigest()
    folders = [settings.DATA_DIR / "answers" / str(day) for day in (today, today - timedelta(days=1))]
    if not folders[0].is_dir():
        folders[0].mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in set(folders[0].parent.iterdir()) - set(folders):
            shutil.rmtree(folder, ignore_errors=True)
    path = next((folder / name for folder in folders if (folder / name).exists()), folders[0] / name)
    with FileLock(path) as lock:
        if not lock.take() or not durable.leads_to(path, durable.file_of(lock.descriptor)):
            raise StreamBusy("The call of this key is being carried out.", hint="Send it again.")
        yield path


def _write(path: Path, content: dict[str, str | int]) -> None:
    """Write a file whole, in its place: its lock stays."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        text = orjson.dumps(content)
        os.pwrite(descriptor, text.ljust(1), 0)
        os.ftruncate(descriptor, len(text))
    finally:
        os.close(descriptor)
