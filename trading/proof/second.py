"""The second process of a proof: `python -m trading.proof.second DESCRIPTOR`, started by `helper`.

The descriptor is its end of a pipe, over which come a `parts.Prover` and then parts of the proof, and go its answers.
It ends when the other end is closed.
"""

from __future__ import annotations

import gc
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection

from django.apps import apps


def main(descriptor: int) -> None:
    """Answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks is interrupted, and closes the pipe
    apps.populate([])  # a query would wait for apps, and no part needs one
    gc.freeze()
    gc.set_threshold(100_000)  # rows make no cycles, and to look at all of them again and again takes its time
    with Connection(descriptor) as pipe, suppress(EOFError, OSError):
        prover = pipe.recv()
        while True:
            pipe.send(pipe.recv().answer(prover))


if __name__ == "__main__":
    main(int(sys.argv[1]))
