"""Errors with the names, codes, fields and hints of the desk's own."""

from __future__ import annotations

from collections.abc import Mapping


class VeloxError(Exception):
    """The base of all. ``code`` is a stable word, ``field`` the argument at fault or None, ``hint`` what to do."""

    code = "velox_error"

    def __init__(self, message: str, *, code: str | None = None, field: str | None = None, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message, self.field, self.hint = message, field, hint
        self.code = code or type(self).code


class InvalidValue(VeloxError, ValueError):
    """A value is refused."""

    code = "invalid_value"


class NotTradable(VeloxError):
    """The instrument is an index."""

    code = "not_tradable"


class CurrencyMismatch(VeloxError):
    """Account and instrument have different currencies."""

    code = "currency_mismatch"


class UnknownTrade(VeloxError, LookupError):
    """No trade of the account has the id."""

    code = "unknown_trade"


class UnknownAccount(VeloxError, LookupError):
    """The account is not there."""

    code = "unknown_account"


class IdConflict(VeloxError):
    """An id is known with other content."""

    code = "id_conflict"


class AmbiguousTrade(VeloxError):
    """Two open trades have the id."""

    code = "ambiguous_trade"


class TradeClosed(VeloxError):
    """The trade takes no more of this."""

    code = "trade_closed"


class CrossesZero(VeloxError):
    """A fill is larger than what is open."""

    code = "crosses_zero"


class KeyReused(VeloxError):
    """An Idempotency-Key is known with another call."""

    code = "key_reused"


class OutOfSequence(VeloxError):
    """A batch is older than what the desk remembers of its stream."""

    code = "out_of_sequence"


class LedgerUnconfirmed(VeloxError):
    """The ledger wrote it, and another server did not confirm that: make the call again."""

    code = "ledger_unconfirmed"


class SourceBusy(VeloxError):
    """Another process records under the token's source."""

    code = "source_busy"


class LedgerBusy(VeloxError):
    """The ledger was not free in time: call again."""

    code = "ledger_busy"


class LedgerNotReady(VeloxError):
    """The ledger's version is not the desk's."""

    code = "ledger_not_ready"


class SpoolFull(VeloxError):
    """The desk's disk has no room for points."""

    code = "spool_full"


class SpoolFailed(VeloxError):
    """The desk's disk refuses to write."""

    code = "spool_failed"


class StoreUnavailable(VeloxError):
    """The store of points does not answer."""

    code = "store_unavailable"


class FlushTimeout(VeloxError):
    """Points were still waiting when the time was up."""

    code = "flush_timeout"


class RecorderClosed(VeloxError):
    """The client was closed before."""

    code = "recorder_closed"


class Forbidden(VeloxError):
    """The token is none, has ended, lacks the scope, or comes from elsewhere."""

    code = "forbidden"


class TooManyRequests(VeloxError):
    """The token asks faster than it may."""

    code = "too_many_requests"


class Unreachable(VeloxError):
    """No answer of the desk came in time. Whether the call was carried out is not known: make it again."""

    code = "unreachable"


class NotOffered(VeloxError):
    """The desk does not offer this over HTTP."""

    code = "not_offered"


_BY_CODE: Mapping[str, type[VeloxError]] = {
    kind.code: kind for kind in list(globals().values()) if isinstance(kind, type) and issubclass(kind, VeloxError)
}
_BY_STATUS: Mapping[int, type[VeloxError]] = {
    401: Forbidden, 403: Forbidden, 404: UnknownTrade, 422: InvalidValue, 429: TooManyRequests, 503: LedgerBusy,
}  # fmt: skip


def error_of(status: int, problem: Mapping[str, str | None]) -> VeloxError:
    """Return the error that a refusal tells; one with a narrower code is of the class that its status stands for."""
    code = problem.get("code") or "velox_error"
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, VeloxError)
    text = problem.get("detail") or f"The desk answered {status}."
    return kind(text, code=code, field=problem.get("field"), hint=problem.get("hint") or "")
