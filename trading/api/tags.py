"""ETags: an answer that is what the program has already is not sent again."""

from __future__ import annotations

from hashlib import sha256

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags

from trading.models import ApiToken


def unless_known(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return an answer with its tag, or 304 where the request names that tag.

    The tag is of the whole answer and of the account: it moves with whatever the answer follows from (the journal,
    corrections, seals, a mark that moved), with nothing else, and never agrees with another account's.
    """
    if request.method not in ("GET", "HEAD") or response.status_code != 200 or response.streaming:
        return response
    token: ApiToken | None = vars(request).get("auth")
    account = "" if token is None else token.account.code
    of_whom = f"{account}\n{response.headers['Content-Type']}\n{response.headers.get('Link', '')}\n"
    tag = f'"{sha256(of_whom.encode() + response.content).hexdigest()[:32]}"'
    names = [name.removeprefix("W/") for name in parse_etags(request.headers.get("If-None-Match", ""))]
    if tag in names or "*" in names:
        response = HttpResponseNotModified()
    response.headers["ETag"] = tag
    return response
