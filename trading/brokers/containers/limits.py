"""What opening a file may cost, and the refusal of one that would cost more."""

from __future__ import annotations

from trading.errors import UnreadableFile

FILE_BYTES_MAX = 32 << 20
UNPACKED_BYTES_MAX = 512 << 20
# What is kept of a file in memory, by estimate; with the file itself it stays below 150 MB.
KEPT_BYTES_MAX = 80 << 20
HEAD_ROWS = 60
HEAD_ELEMENTS = 200
_TEXTS_SHARED_MAX = 5_000
_TEXT_BYTES = 56  # of a text's object and its place in a row, apart from its letters


def refused(name: str, fault: str, hint: str = "") -> UnreadableFile:
    """Return the refusal of a file: its name, what is wrong with it, what to do."""
    return UnreadableFile(f"{name} {fault}.", field="file", hint=f"Nothing was read. {hint}".strip())


class Allowance:
    """Memory that one file's content may take. Equal texts are kept once, as a file repeats its symbols and days."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._bytes_kept = 0
        self._texts: dict[str, str] = {}

    def take(self, size: int) -> None:
        """Count bytes that are kept. Raises: UnreadableFile where they are too many."""
        self._bytes_kept += size
        if self._bytes_kept > KEPT_BYTES_MAX:
            raise refused(self.name, "holds more than can be read at once", "Ask the broker for shorter periods.")

    def text(self, text: str) -> str:
        """Return a text to keep, the same object for equal ones."""
        shared = self._texts.get(text)
        if shared is not None:
            return shared
        letter_bytes = 1 if text.isascii() else 4
        self.take(_TEXT_BYTES + letter_bytes * len(text))
        if len(self._texts) >= _TEXTS_SHARED_MAX:
            self._texts.clear()
        self._texts[text] = text
        return text
