"""A child process in place of an SDK: prints recorded dicts, the first line of which the test chooses by its mode."""

from __future__ import annotations

import json
import sys
import time

MODE, FILE = sys.argv[1:3]


def main() -> None:
    keys = json.loads(sys.stdin.readline())
    if MODE == "none":
        sys.exit(3)
    with open(FILE) as file:
        lines = file.read().splitlines()
    with open(f"{FILE}.starts", "a") as starts:
        starts.write(json.dumps(keys) + "\n")
    with open(f"{FILE}.starts") as starts:
        number = len(starts.readlines())
    for line in lines:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    if MODE == "dies" and number < 3:
        sys.stdout.write('{"symbol": "NSE:SBIN-EQ", "ltp": 9')  # in the midst of a line
        sys.stdout.flush()
        return
    time.sleep(60)


main()
