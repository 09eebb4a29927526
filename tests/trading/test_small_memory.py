"""A process that works on ticks for long gives back what it freed."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# A block of the size that the C library keeps once one was freed, held from below by a small one that stays.
FREED = """
import ctypes, sys
from trading.small_memory import stay_small
if sys.argv[1] == "small":
    stay_small()
malloc, free = ctypes.CDLL(None).malloc, ctypes.CDLL(None).free
malloc.restype, free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
free(malloc(31 << 20))  # from here on blocks as large as this one are kept, and not asked of the kernel
blocks = [malloc(8 << 20) for _ in range(20)]
for block in blocks:
    ctypes.memset(block, 1, 8 << 20)
stays = malloc(1 << 20)
for block in blocks:
    free(block)
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) // 1024 for line in status if line.startswith("RssAnon")))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory in other ways")
def test_what_is_freed_goes_back_to_the_kernel() -> None:
    def held(how: str) -> int:
        return int(subprocess.run([sys.executable, "-c", FREED, how], capture_output=True, check=True).stdout)

    assert held("small") < held("large") - 100


LOADED = """
import sys
import django
django.setup()
from django.core.management import load_command_class
load_command_class("trading", sys.argv[1])
print(*{"pandas", "pypdf", "PIL", "cryptography", "python_calamine", "olefile"} & set(sys.modules))
"""


@pytest.mark.parametrize("command", ["replay", "ship"])
def test_who_works_on_ticks_loads_no_frames_and_no_readers_of_brokers_files(command: str) -> None:
    loaded = subprocess.run([sys.executable, "-c", LOADED, command], capture_output=True, check=True, text=True)
    assert loaded.stdout.split() == []
