"""The threads of a web process that look for all who watch, and the streams of those who still may."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import structlog
from django.db import connections

CONNECTION_SECONDS = 60.0  # a thread that looks keeps its connection so long
CHECK_SECONDS = 20.0  # between two looks whether a viewer still may look: cut off within a minute, a slow look included
ANSWER_SECONDS = 20.0  # that such a look may take
ENDED = b"event: ended\ndata: {}\n\n"

log = structlog.get_logger("system")

looking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live")
checking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live-check")


def _begin_anew() -> None:
    """Let a forked child make threads of its own: its parent's did not come along, and what waits for them waits."""
    ThreadPoolExecutor.__init__(looking, max_workers=1, thread_name_prefix="live")
    ThreadPoolExecutor.__init__(checking, max_workers=1, thread_name_prefix="live-check")


os.register_at_fork(after_in_child=_begin_anew)


async def while_allowed(events: AsyncGenerator[bytes], is_allowed: Callable[[], bool]) -> AsyncGenerator[bytes]:
    """Yield a viewer's events until ``is_allowed``, which is asked every `CHECK_SECONDS`, denies it.

    Where it fails, or has no answer within `ANSWER_SECONDS`, the stream ends as well: who comes back is asked anew.
    """
    loop, began = asyncio.get_running_loop(), time.monotonic()
    allowed_at = began  # when the last check began that said yes
    check: asyncio.Future[bool] | None = None
    async with aclosing(events) as stream:
        async for event in stream:
            now = time.monotonic()
            is_past = check is not None and check.done() and now - began >= CHECK_SECONDS + ANSWER_SECONDS
            if is_past or (check is None and now - allowed_at >= CHECK_SECONDS):
                check, began = loop.run_in_executor(checking, is_allowed), now
            # An event waits for a check only where its viewer took none for long, and may have lost the right since:
            # else they come in hundreds at once, and each asks the database.
            if check is not None and now - allowed_at >= CHECK_SECONDS + ANSWER_SECONDS:
                await asyncio.wait([check], timeout=began + ANSWER_SECONDS - now)
            if check is not None and (check.done() or time.monotonic() - began >= ANSWER_SECONDS):
                error = check.exception() if check.done() else TimeoutError("no answer")
                if error is not None:
                    log.warning("a stream ends: nobody can tell whether its viewer may look", error=str(error))
                    return
                if not check.result():
                    yield ENDED
                    return
                check, allowed_at = None, began
            yield event


def renew_connections() -> None:
    """Close this thread's database connections that failed or are old: to make one takes longer than most looks."""
    for connection in connections.all(initialized_only=True):
        made_at = connection.close_at  # of one that a request would close at its end
        if connection.errors_occurred or made_at is None or time.monotonic() - made_at >= CONNECTION_SECONDS:
            connection.close_if_unusable_or_obsolete()
