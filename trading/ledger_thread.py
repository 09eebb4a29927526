"""Where a ledger call runs: here, or on the process's ledger thread where an event loop runs here.

Django refuses its ORM to a thread that runs an event loop. A strategy written with asyncio calls the same facade; it
waits for the answer as any other does, at most the ledger's two seconds, or awaits it (`DataManager.aio`).
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Answer = TypeVar("Answer")

_threads: dict[int, ThreadPoolExecutor] = {}


def at_the_ledger(call: Callable[P, Answer], *arguments: P.args, **more: P.kwargs) -> Answer:
    """Return the call's answer, or raise what it raises."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call(*arguments, **more)
    context = contextvars.copy_context()
    return _thread().submit(lambda: context.run(call, *arguments, **more)).result()


async def awaited(call: Callable[P, Answer], *arguments: P.args, **more: P.kwargs) -> Answer:
    """Return the call's answer while the event loop goes on; calls are carried out one after another, in order."""
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_thread(), lambda: context.run(call, *arguments, **more))


def _thread() -> ThreadPoolExecutor:
    """Return this process's thread: a forked child has none of its parent's."""
    pid = os.getpid()
    if pid not in _threads:
        _threads.setdefault(pid, ThreadPoolExecutor(max_workers=1, thread_name_prefix="velox-ledger"))
    return _threads[pid]
