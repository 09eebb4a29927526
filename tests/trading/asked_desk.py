"""A desk of its own process that is asked line by line: `python -m tests.trading.asked_desk`, with its environment.

Each line names a method of the facade with its arguments as JSON; the answer is a line with what came of it, and after
how many seconds.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from contextlib import redirect_stdout
from types import TracebackType
from typing import Any

from django.core.management import CommandError, call_command

from trading.errors import VeloxError
from velox_site.desk import DataManager

NINE_THIRTY = 1_710_475_200_000_000_000  # of a Friday, at the desk


class AskedDesk:
    """The process, and what asks it."""

    def __init__(self, env: dict[str, str], **options: Any) -> None:
        command = [sys.executable, "-m", "tests.trading.asked_desk", json.dumps(options)]
        self.env = env
        self.process = subprocess.Popen(command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> AskedDesk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, method: str, *arguments: Any, **keywords: Any) -> dict[str, Any]:
        """Return `{"answer"}` or `{"error", "code"}`, and `"seconds"`."""
        self.send(method, *arguments, **keywords)
        return self.receive()

    def manage(self, *command: str) -> tuple[int, dict[str, Any]]:
        """Run a command of `manage.py` there; return its exit code and its answer, or what it could not do."""
        told = self.ask("manage", *command)["answer"]
        return told["code"], told["told"]

    def send(self, method: str, *arguments: Any, **keywords: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps([method, arguments, keywords]) + "\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


def open_one(desk: AskedDesk, trade_id: str = "T1", **more: Any) -> dict[str, Any]:
    """Open a trade of ten RELIANCE; the same call again adds nothing."""
    return desk.ask("open_position", trade_id, "ema cross", "RELIANCE", "2450.05", 10, entry_time=NINE_THIRTY, **more)


def managed(*command: str) -> dict[str, Any]:
    """Run a command that answers in JSON."""
    output = io.StringIO()
    try:
        with redirect_stdout(output):
            call_command(*command, "--format", "json")
        code = 0
    except SystemExit as ended:
        code = int(str(ended.code))
    except CommandError as error:
        return {"code": error.returncode, "told": {"error": str(error)}}
    return {"code": code, "told": json.loads(output.getvalue())}


def main() -> None:
    desk = DataManager(**json.loads(sys.argv[1]))
    for line in sys.stdin:
        method, arguments, keywords = json.loads(line)
        began = time.monotonic()
        answer: dict[str, Any]
        try:
            value = managed(*arguments) if method == "manage" else getattr(desk, method)(*arguments, **keywords)
            answer = {"answer": value if value is None or isinstance(value, bool | dict) else value.as_dict()}
        except VeloxError as error:
            answer = {"error": str(error), "code": error.code}
        print(json.dumps({**answer, "seconds": time.monotonic() - began}, default=str), flush=True)


if __name__ == "__main__":
    main()
