"""The thread of ledger calls: the caller's own, or the process's ledger thread where an event loop runs.

Django refuses its ORM to a thread that runs an event loop. A strategy written with asyncio calls the same facade; it
waits for the answer as any other does, at most the ledger's two seconds, or awaits it (`DataManager.aio`).
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

import structlog

P = ParamSpec("P")
Answer = TypeVar("Answer")

_threads: dict[int, ThreadPoolExecutor] = {}

log = structlog.get_logger("trade")


def at_the_ledger(call: Callable[P, Answer], *arguments: P.args, **keywords: P.kwargs) -> Answer:
    """Call here, or on the ledger thread where an event loop runs here; return the answer, or raise what it raises."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call(*arguments, **keywords)
    return _submitted(call, *arguments, **keywords).result()


async def awaited(call: Callable[P, Answer], *arguments: P.args, **keywords: P.kwargs) -> Answer:
    """Make the call on the ledger thread and return its answer; the event loop goes on, and calls keep their order."""
    return await asyncio.wrap_future(_submitted(call, *arguments, **keywords))


async def awaited_write(call: Callable[P, Answer], *arguments: P.args, **keywords: P.kwargs) -> Answer:
    """Make a call that writes the ledger on its thread and return its answer, as `awaited` does.

    Cancelled (a time-out, a task group that fails) while it waits for its turn it is not carried out. Once it has
    begun it cannot be taken back: the cancellation is raised when it has ended. So nothing is under way any more when
    the caller goes on, and the same call again answers with what was written, or writes it.
    """
    submitted = _submitted(call, *arguments, **keywords)
    answer = asyncio.wrap_future(submitted)
    try:
        await asyncio.wait([answer])
    except asyncio.CancelledError:
        if not submitted.cancel():
            while not answer.done():
                with suppress(asyncio.CancelledError):  # cancelled once more: the ledger's limit bounds this wait
                    await asyncio.wait([answer])
            if answer.exception() is None:
                log.warning("a call was carried out though its await was cancelled", operation=call.__name__)
        raise
    return answer.result()


def _submitted(call: Callable[P, Answer], *arguments: P.args, **keywords: P.kwargs) -> Future[Answer]:
    context = contextvars.copy_context()
    return _thread().submit(lambda: context.run(call, *arguments, **keywords))


def _thread() -> ThreadPoolExecutor:
    """Return this process's thread: a forked child has none of its parent's."""
    pid = os.getpid()
    if pid not in _threads:
        _threads.setdefault(pid, ThreadPoolExecutor(max_workers=1, thread_name_prefix="velox-ledger"))
    return _threads[pid]
