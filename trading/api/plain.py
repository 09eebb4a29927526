"""Bodies that come and go: JSON whose numbers stay exact, no larger and no deeper than any request needs."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import NoReturn

from django.http import HttpRequest
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from trading.api.problems import BodyTooLarge, WrongMediaType
from trading.domain.chain import JSON, Body
from trading.domain.plain_json import to_json
from trading.errors import InvalidValue

BODY_BYTES_MAX = 1 << 20
DEPTH_MAX = 20
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class PlainRenderer(BaseRenderer):
    """Answers as `--format json` writes them: decimals as plain texts, times whole in UTC with `Z`."""

    media_type = "application/json"

    def render(self, _request: HttpRequest, data: JSON, *, response_status: int) -> str:
        return to_json(data)


class ExactParser(Parser):
    """Requests whose numbers are read as decimals. Raises: BodyTooLarge, WrongMediaType, InvalidValue."""

    def parse_body(self, request: HttpRequest) -> Body:
        for name in request.GET:
            raise InvalidValue(f"There is no {name!r} in the query.", field=name, hint="Send it in the body.")
        if request.content_type != "application/json":
            raise WrongMediaType(f"The body is {request.content_type!r}.", hint="Send application/json.")
        if int(request.headers.get("Content-Length") or 0) > BODY_BYTES_MAX or len(request.body) > BODY_BYTES_MAX:
            raise BodyTooLarge(f"The body has more than {BODY_BYTES_MAX} bytes.", hint="Send less at once.")
        if (depth := depth_of(request.body)) > DEPTH_MAX:
            raise InvalidValue(f"The body is {depth} levels deep.", field="body", hint=f"At most {DEPTH_MAX}.")
        try:
            body: Body = json.loads(
                request.body, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=each_once
            )
        except InvalidValue:
            raise
        except ValueError as error:
            raise InvalidValue(f"The body is no JSON: {error}.", field="body", code="unreadable") from error
        # ninja reads attributes of whatever it gets: where each field has a default, a number would do as well.
        if not isinstance(body, dict):
            raise InvalidValue("The body is no object.", field="body", hint='Send {"name": value, ...}.')
        return body


def depth_of(text: bytes) -> int:
    """Return how many levels deep a text of JSON is, without parsing it."""
    depth = deepest = 0
    for bracket in _BRACKETS.finditer(text):
        first = bracket[0][:1]
        depth += (first in b"[{") - (first in b"]}") if first != b'"' else 0
        deepest = max(deepest, depth)
    return deepest


def each_once(members: list[tuple[str, JSON]]) -> Body:
    """Return an object of JSON. Raises InvalidValue where a name stands in it twice: nobody knows which is meant."""
    body = dict(members)
    if len(body) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in body if names.count(name) > 1)
        raise InvalidValue(
            f"{twice!r:.80} is there {names.count(twice)} times.", field=twice[:64], hint="Give it once."
        )
    return body


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
