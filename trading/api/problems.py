"""What is refused, as problem details (RFC 9457): one status for each error, with `code`, `field` and `hint`."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from ninja.errors import AuthenticationError, HttpError, ValidationError

from timeseries.spool.marks import BatchProgress
from trading import errors
from trading.domain.chain import JSON
from trading.domain.plain_json import to_json
from trading.errors import VeloxError

log = structlog.get_logger("system")

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1  # the ledger waits two seconds itself before it is busy
STATUSES: dict[type[VeloxError], int] = {
    errors.InvalidValue: 422,
    errors.NotTradable: 422,
    errors.CurrencyMismatch: 422,
    errors.WrongLanguage: 422,
    errors.LikelySlip: 422,
    errors.UnknownAccount: 404,
    errors.UnknownTrade: 404,
    errors.IdConflict: 409,
    errors.AmbiguousTrade: 409,
    errors.TradeClosed: 409,
    errors.CrossesZero: 409,
    errors.SourceBusy: 409,
    errors.LedgerBusy: 503,
    errors.LedgerNotReady: 503,
    errors.LedgerUnconfirmed: 503,
    errors.SpoolFull: 503,
    errors.SpoolFailed: 503,
    errors.StoreUnavailable: 503,
    errors.FlushTimeout: 503,
    errors.RecorderClosed: 503,
    errors.QueryTimeout: 504,
}


class WrongToken(VeloxError):
    """A request without a token that is alive."""

    code = "wrong_token"


class HttpsRequired(VeloxError):
    """A request that came without encryption to a desk that is reached by https."""

    code = "https_required"


class NotThere(VeloxError):
    """A path below which nothing is."""

    code = "not_there"


class ScopeMissing(VeloxError):
    """A token that may not do what was asked."""

    code = "scope_missing"


class WrongNetwork(VeloxError):
    """A token that comes from where it may not be used."""

    code = "wrong_network"


class TooManyRequests(VeloxError):
    """A token that asks faster than it may."""

    code = "too_many_requests"

    def __init__(self, wait_seconds: float) -> None:
        super().__init__("The token asks too fast.", hint=f"Wait {wait_seconds:.2f} s, then go on.")
        self.wait_seconds = wait_seconds


class OutOfSequence(VeloxError):
    """A batch of ticks before the stream's newest one, of which nothing is remembered; nothing was written."""

    code = "out_of_sequence"

    def __init__(self, newest: int) -> None:
        super().__init__(
            f"The stream is at {newest} already.", field="sequence", hint="Batches of a stream rise in sequence."
        )


class StreamBusy(VeloxError):
    """A stream, or a key, of which another call is being carried out."""

    code = "stream_busy"


class KeyReused(VeloxError):
    """An `Idempotency-Key` that came with another call; nothing was written."""

    code = "key_reused"


class TooSlow(VeloxError):
    """A body that did not go on coming."""

    code = "too_slow"


class BatchBroken(VeloxError):
    """A batch of ticks that was not recorded to its end, for its ``cause``, after ``progress``."""

    def __init__(self, cause: VeloxError, progress: BatchProgress) -> None:
        super().__init__(cause.message, field=cause.field, hint=cause.hint, code=cause.code)
        self.cause, self.progress = cause, progress


class BodyTooLarge(VeloxError):
    """A body that is larger than any request's may be."""

    code = "too_large"


class WrongMediaType(VeloxError):
    """A body that is not JSON."""

    code = "wrong_media_type"


class NotAcceptable(VeloxError):
    """A request that accepts none of the forms that there are."""

    code = "not_acceptable"


STATUSES |= {
    NotAcceptable: 406,
    WrongToken: 401,
    HttpsRequired: 403,
    NotThere: 404,
    ScopeMissing: 403,
    WrongNetwork: 403,
    OutOfSequence: 409,
    StreamBusy: 503,
    KeyReused: 422,
    TooSlow: 408,
    BodyTooLarge: 413,
    WrongMediaType: 415,
    TooManyRequests: 429,
}
TITLES = {
    400: "The request cannot be read",
    401: "No token that is alive",
    403: "The token may not do this",
    404: "Not there",
    405: "Not by this method",
    406: "Not in this form",
    408: "It came too slowly",
    409: "It conflicts with what is recorded",
    413: "Too large",
    415: "Not of this type",
    422: "A value is refused",
    429: "Too fast",
    500: "A fault of VELOX",
    503: "Not now: send it again",
    504: "No answer in time",
}


def status_of(error: VeloxError) -> int:
    """Return the status of an error: its own class's, else that of the nearest class above."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def refused(_request: HttpRequest, error: VeloxError) -> HttpResponse:
    """Answer with what an error says."""
    members: dict[str, JSON] = {}
    if isinstance(error, BatchBroken):
        members = {"rows": error.progress.rows, "accepted": error.progress.accepted}
        error = error.cause
    elif isinstance(error, errors.SourceBusy):
        members = {"holder": error.pid}
    response = problem(
        status_of(error), error.message, code=error.code, field=error.field, hint=error.hint, members=members
    )
    if isinstance(error, WrongToken):
        response["WWW-Authenticate"] = 'Bearer realm="VELOX"'
    elif isinstance(error, TooManyRequests):
        response["Retry-After"] = str(max(1, round(error.wait_seconds)))
    elif response.status_code == 503:
        response["Retry-After"] = str(round(getattr(error, "retry_after", None) or RETRY_SECONDS))
    return response


def malformed(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Answer for fields that are missing, unknown or of another type: the first of them, and how many there are."""
    first, count = error.errors[0], len(error.errors)
    steps = [step for step in first["loc"][1:] if step not in ("body", "filters", "asked")]
    # Behind the name stand places in a list, names in an object, and which of several types pydantic tried.
    inner = [str(step) for step in steps[1:] if isinstance(step, int) or step.isidentifier()]
    field = ".".join([*(str(step) for step in steps[:1]), *inner])
    reason = first["msg"].removeprefix("Value error, ").rstrip(".")
    others = f" ({count - 1} more)" if count > 1 else ""
    return problem(422, f"{field or 'The body'}: {reason}{others}.", code="invalid_value", field=field or None, hint="")


def unauthenticated(request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
    """Answer who shows no token that is alive."""
    return refused(request, no_token())


def no_token() -> WrongToken:
    """Return the refusal of who shows no token that is alive."""
    hint = "Send `Authorization: Bearer SECRET`; `manage.py token make` makes one."
    return WrongToken("There is no token, or it has ended.", hint=hint)


def unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Answer what the framework itself refuses, or why a body could not be read."""
    if isinstance(error.__cause__, VeloxError):
        return refused(request, error.__cause__)
    if isinstance(error.__cause__, SuspiciousOperation):
        return beyond_bounds(request, error.__cause__)
    return problem(error.status_code, str(error), code="unreadable", hint="Send JSON in UTF-8.")


def beyond_bounds(_request: HttpRequest, error: SuspiciousOperation) -> HttpResponse:
    """Answer what Django itself does not take apart, such as a query of more than a thousand fields."""
    return problem(422, f"{error}", code="invalid_value", field="query", hint="Ask for less at once.")


def fault(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer a fault of VELOX itself without a word of its inside, which the log has."""
    log.exception("a call of the interface failed", path=request.path, exc_info=error)
    hint = "The log of this moment says more (`manage.py logs`). What was not answered with 200 may be sent again."
    return problem(500, "VELOX could not answer.", code="fault", hint=hint)


def problem(
    status: int,
    detail: str,
    *,
    code: str,
    field: str | None = None,
    hint: str = "",
    headers: Mapping[str, str] = {},
    members: Mapping[str, JSON] = {},
) -> HttpResponse:
    """Return one problem, with further ``members`` where there are some."""
    about = {"type": "about:blank", "title": TITLES.get(status, "Refused"), "status": status, "detail": detail}
    text = to_json({**about, "code": code, "field": field, "hint": hint, **members})
    # A caller's own words may hold lone surrogates, which are no text.
    return HttpResponse(text.encode(errors="replace"), status=status, content_type=MEDIA_TYPE, headers=dict(headers))
