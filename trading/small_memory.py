"""How a process that works on ticks for long stays small."""

from __future__ import annotations

import contextlib
import ctypes

import pyarrow as pa

# Of glibc's malloc.h: how much memory may lie free before it goes back, and how many arenas there may be.
TRIM_THRESHOLD, ARENA_MAX = -1, -8
FREE_BYTES_MAX, ARENAS_MAX = 128 << 10, 2


def stay_small() -> None:
    """Let memory that is freed go back to the kernel, for this process from now on.

    By itself the C library keeps up to 32 MB of each size that was freed once, in an arena for each of the engines'
    fifty threads, and Arrow's own allocator keeps what a slice took. Another C library than glibc is left as it is.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    with contextlib.suppress(AttributeError, OSError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(ARENA_MAX, ARENAS_MAX)
        set_option(TRIM_THRESHOLD, FREE_BYTES_MAX)
