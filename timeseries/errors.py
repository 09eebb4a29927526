"""What a caller of the time series may catch, as docs/promises.md lists it. Each error says what to do about it."""

from __future__ import annotations


class VeloxError(Exception):
    """Base of every error that VELOX raises on purpose.

    ``code`` is a stable word for programs, ``field`` names the argument at fault (or None), ``hint`` says what to do.
    """

    code = "velox_error"

    def __init__(self, message: str, *, field: str | None = None, hint: str = "", code: str | None = None) -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.field = field
        self.hint = hint or message
        if code is not None:
            self.code = code


class InvalidValue(VeloxError, ValueError):
    """A value that is refused; nothing was written."""

    code = "invalid_value"


class AmbiguousTick(InvalidValue):
    """A tick that can be read in two ways; nothing was written."""

    code = "ambiguous_tick"


class SpoolFull(VeloxError):
    """A spool at its reserve or its limit; telemetry is refused until there is room."""

    code = "spool_full"


class SpoolFailed(VeloxError):
    """A disk that refuses the spool (an I/O error); telemetry is refused until it recovers."""

    code = "spool_failed"


class SourceBusy(VeloxError):
    """A source under which another process records; ``pid`` names it."""

    code = "source_busy"

    def __init__(self, message: str, *, pid: int | None = None, hint: str = "") -> None:
        super().__init__(message, field="source", hint=hint)
        self.pid = pid


class StoreUnavailable(VeloxError):
    """A time-series store that cannot answer now; nothing accepted is lost.

    ``retry_after`` are the seconds for which the store asked to be left alone, or None.
    """

    code = "store_unavailable"

    def __init__(
        self, message: str, *, field: str | None = None, hint: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, field=field, hint=hint)
        self.retry_after = retry_after


class StoreDamaged(StoreUnavailable):
    """A file of the store that is gone or damaged, so the answer would lack its rows; other days answer. The message
    names the file."""

    code = "store_damaged"


class StoreMisconfigured(StoreUnavailable):
    """A store that refuses this desk: address, organisation, bucket or token is wrong. All stays in the spool."""

    code = "store_misconfigured"


class WrongLanguage(VeloxError):
    """A question in another query language than the store's; the hint names the method for it."""

    code = "wrong_language"


class QueryTimeout(VeloxError):
    """A free question that was broken off at its time limit; ask for less, or give it longer."""

    code = "query_timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The question took longer than {seconds:g} s and was broken off.",
            field="timeout",
            hint="Bound it by time and symbol, or give it longer: timeout= or `manage.py query --timeout`, in seconds.",
        )


class FlushTimeout(VeloxError):
    """Points that were still waiting when the time was up; they stay in the spool."""

    code = "flush_timeout"


class RecorderClosed(VeloxError):
    """A recorder that is closed; open a new DataManager."""

    code = "recorder_closed"
