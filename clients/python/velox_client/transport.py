"""Requests to one desk with one token: sent again while nobody answers, refusals as typed errors."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3

from velox_client.errors import InvalidValue, Unreachable, error_of

ROOT = "/api/v1/"
JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.1, 2.0
AGAIN = (429, 502, 503, 504)
Query = Mapping[str, Any]
NOTHING: Query = MappingProxyType({})


class Transport:
    """The way to a desk. Threads may share it."""

    def __init__(self, url: str | None, token: str | None, *, patience_seconds: float) -> None:
        self.url = (url or os.environ.get("VELOX_URL", "")).rstrip("/")
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise InvalidValue(
                f"The desk's address is {self.url!r}.", field="url", hint="Give url, or set VELOX_URL to https://…"
            )
        self.patience_seconds = patience_seconds
        self._headers = {"Authorization": f"Bearer {token or _token()}"}
        self._pool = urllib3.PoolManager(maxsize=4, retries=False, timeout=urllib3.Timeout(connect=5, read=30))

    def get(self, path: str, query: Query = NOTHING, *, accept: str = JSON) -> urllib3.BaseHTTPResponse:
        """Return the answer to a question; what is None in the query is left out."""
        asked = urlencode({name: text(each) for name, each in query.items() if each is not None}, doseq=True)
        return self.send("GET", f"{path}?{asked}" if asked else path, headers={"Accept": accept})

    def post(self, path: str, body: Query | Sequence[Query], *, key: str | None = "") -> Any:
        """Return the answer to what is recorded; it is the same record however often the request has to be sent.

        ``key`` is what the desk knows the call by: one of its own for each call where it is empty, none where None.
        """
        if isinstance(body, Mapping):
            body = {name: each for name, each in body.items() if each is not None}
        sent = json.dumps(body, default=text)
        headers = {"Content-Type": JSON} | ({} if key is None else {"Idempotency-Key": key or uuid.uuid4().hex})
        return self.send("POST", path, headers=headers, body=sent.encode()).json()

    def pages(self, path: str, query: Query) -> Iterator[bytes]:
        """Yield each page of a table as an Arrow stream."""
        response = self.get(path, query, accept=ARROW)
        while True:
            yield response.data
            link = response.headers.get("Link")
            if link is None:
                return
            response = self.send("GET", urljoin(self.url, link[1 : link.index(">")]), headers={"Accept": ARROW})

    def send(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes | None = None, stream: bool = False
    ) -> urllib3.BaseHTTPResponse:
        """Send a request until it is answered, or for as long as the client's patience; ``stream`` leaves the body
        to be read as it comes.

        Raises: VeloxError.
        """
        address = path if path.startswith(self.url) else f"{self.url}{ROOT}{path}"
        deadline, pause = time.monotonic() + self.patience_seconds, PAUSE_SECONDS
        while True:
            fault: Exception
            try:
                # No redirect is followed: it could lead the token to another host.
                response = self._pool.request(
                    method, address, headers={**self._headers, **headers}, body=body, redirect=False,
                    preload_content=not stream,
                )  # fmt: skip
            except urllib3.exceptions.HTTPError as error:
                fault = Unreachable(f"No answer from {self.url}: {error}.", hint="Make the call again.")
            else:
                if response.status < 300:
                    return response
                fault = error_of(response.status, _problem(response))
                if response.status not in AGAIN:
                    raise fault
                pause = max(pause, _seconds(response.headers.get("Retry-After")))
            if time.monotonic() + pause > deadline:
                raise fault
            time.sleep(pause)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


def text(sent: Any) -> Any:
    """Return what is sent for a value: a decimal as its plain text, a float by its shortest form, an instant in UTC.

    A naive datetime is of this machine's own zone, so that `datetime.now()` is now. An integer among times is ns UTC.
    """
    if isinstance(sent, Decimal):
        return f"{sent:f}"
    if isinstance(sent, datetime):
        return sent.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(sent, date):
        return sent.isoformat()
    if isinstance(sent, Sequence) and not isinstance(sent, str):
        return [text(each) for each in sent]
    return sent


def number(sent: Any) -> Any:
    """Return an amount as it is sent: text, so that no digit is lost; what is no number is left to the desk."""
    if isinstance(sent, bool) or not isinstance(sent, int | float | Decimal):
        return sent
    return f"{Decimal(repr(sent)) if isinstance(sent, float) else Decimal(sent):f}"


def _token() -> str:
    path = os.environ.get("VELOX_TOKEN_FILE")
    token = os.environ.get("VELOX_TOKEN") or (Path(path).read_text(encoding="utf-8") if path else "")
    if not token.strip():
        raise InvalidValue(
            "There is no token.", field="token", hint="Give token, or set VELOX_TOKEN_FILE to a file that has it."
        )
    return token.strip()


def _problem(response: urllib3.BaseHTTPResponse) -> Mapping[str, str | None]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _seconds(header: str | None) -> float:
    return float(header) if header is not None and header.isdigit() else 0.0
