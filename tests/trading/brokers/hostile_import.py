"""Import each file of a folder, in a process of its own: `python -m tests.trading.brokers.hostile_import FOLDER`.

It prints what came of each and the most memory that the process took above its start.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import django

django.setup()

from tests.trading.brokers.hostile import OPTIONS  # noqa: E402  (the settings come first)
from trading.brokers.containers.opening import open_document  # noqa: E402
from trading.errors import UnknownLayout, VeloxError  # noqa: E402
from trading.operations.import_files import BrokerUpload, ImportOptions, import_files  # noqa: E402


def outcome(name: str, content: bytes) -> str:
    """Return the code of the error by which a file's import is refused; "accepted" where it is not."""
    options = OPTIONS.get(name.rpartition("-")[2], {})
    (report,) = import_files("main", [BrokerUpload(name, lambda: content)], ImportOptions(**options))
    if report.refusal is None:
        return "accepted"
    if isinstance(report.refusal, UnknownLayout):  # by its head; the whole of it may be worse
        try:
            open_document(content, name)
        except VeloxError as error:
            return error.code
    return report.refusal.code


def peak_megabytes() -> float:
    """Return the most memory that this process has had, and start anew. (`ru_maxrss` begins with the parent's.)"""
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main(folder: str) -> None:
    """Print, as JSON, each file's outcome and the most memory above the start, in MB."""
    outcome("warm", b"symbol,isin\n")
    start = peak_megabytes()
    outcomes, grown, seconds = {}, {}, {}
    for path in sorted(Path(folder).iterdir()):
        began = time.perf_counter()
        outcomes[path.name] = outcome(path.name, path.read_bytes())
        grown[path.name] = peak_megabytes() - start
        seconds[path.name] = time.perf_counter() - began
    print(json.dumps({"outcomes": outcomes, "grown": grown, "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1])
