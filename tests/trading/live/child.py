"""A child process in place of an SDK: each start prints lines as the test's script says, and ends or hangs.

The script is JSON, an entry for each start: the lines, and what follows them: `hang`, `die` (in the midst of a line),
`freeze` (the last line again and again), or `none` (it has no SDK). The last entry counts for every later start.
"""

from __future__ import annotations

import json
import os
import sys
import time

FILE = sys.argv[1]


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main() -> None:
    keys = json.loads(sys.stdin.readline())
    with open(f"{FILE}.starts", "a+") as starts:
        starts.write(json.dumps(keys) + "\n")
        starts.seek(0)
        number = len(starts.readlines())
    with open(FILE) as file:
        script = json.load(file)
    lines, then = script[min(number, len(script)) - 1]
    if then == "none":
        os.close(1)
        time.sleep(0.3)  # what a process says with its end comes after its last word
        os._exit(3)
    for line in lines:
        say(line + "\n")
    if then == "die":
        say('{"symbol": "NSE:SBIN-EQ", "ltp": 9')
        return
    while then == "freeze":
        say(lines[-1] + "\n")
        time.sleep(0.02)
    time.sleep(60)


main()
