"""The rows of files that cannot be true: counted by reason, and beyond a bound kept on disk."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterable
from typing import BinaryIO, TypedDict

from trading.feeds.ticks import REASONS, Reject

COLUMNS = ("file", "line", "reason", "text")
IN_MEMORY_MAX = 1 << 20  # bytes


class RejectCounts(TypedDict):
    """How many rows of the files were rejected, in all and by reason; reasons without any are left out."""

    total: int
    by_reason: dict[str, int]


class Rejects:
    """The rejected rows of all files, as CSV."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._rows = tempfile.SpooledTemporaryFile(IN_MEMORY_MAX, prefix="velox-rejects-")  # noqa: SIM115 (closed with us)
        weakref.finalize(self, self._rows.close)

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, rejects: Iterable[Reject]) -> None:
        """Take more rows. Raises: OSError."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for reject in rejects:
            self._counts[reject.reason] += 1
            writer.writerow([reject.file, reject.line, reject.reason, reject.text])
        self._rows.write(text.getvalue().encode("utf-8", "surrogatepass"))

    def counts(self) -> RejectCounts:
        """Return how many there are, in all and by reason."""
        by_reason = {reason: self._counts[reason] for reason in REASONS if self._counts[reason]}
        return {"total": self._counts.total(), "by_reason": by_reason}

    def write(self, file: BinaryIO) -> None:
        """Write all of them to a file, with their header. Raises: OSError."""
        file.write(f"{','.join(COLUMNS)}\n".encode())
        self._rows.seek(0)
        shutil.copyfileobj(self._rows, file)
        self._rows.seek(0, io.SEEK_END)
