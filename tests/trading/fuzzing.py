"""schemathesis's command, which sends every request with a token of each scope and counts what is answered.

One of the three scopes may be let in, and its answer is what schemathesis judges. The application answers in this
process, as `make serve` serves it but for the socket; with VELOX_FUZZ_SERVED a server answers. A token that is refused
is refused before anything else is looked at, so VELOX_FUZZ_REFUSALS bounds how often each call is asked by one. With
VELOX_FUZZ_OF_EACH each call has so many random requests as it lacks of that number after its examples and coverage.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import json
import os
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import hypothesis
import pyarrow as pa
import schemathesis.cli
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from schemathesis.config import ProjectConfig
from schemathesis.schemas import APIOperation
from schemathesis.transport.serialization import Binary
from urllib3 import HTTPHeaderDict, HTTPResponse

from tests.trading.fuzz_examples import ARROW, BODIES, LINKS, QUERIES, SCOPES, TICK_BODIES
from trading import summon
from velox_site.asgi import application

ANY_SCOPE = "Bearer any scope"
CALLS, SCHEMA = "/api/v1/", "/api/v1/openapi.json"
BOOK = json.loads(os.environ["VELOX_FUZZ_BOOK"])
TOKENS = dict(zip(SCOPES, BOOK["secrets"], strict=True))
REFUSALS = int(os.environ.get("VELOX_FUZZ_REFUSALS", "1000000"))
OF_EACH, RANDOM_MIN = int(os.environ.get("VELOX_FUZZ_OF_EACH", "0")), 10
TABLE = pa.table({"symbol": ["RELIANCE"], "ltp": [2450.05], "timestamp": [1_710_493_202 * 10**9]})
Send = Callable[..., Response]
SettingsOf = Callable[..., hypothesis.settings]
answered: Counter[tuple[str, str, int]] = Counter()  # by call, scope and status
opened_by: dict[str, str] = {}  # of each call the scope that is let in
loop = asyncio.new_event_loop()


@schemathesis.hook
def before_load_schema(_context: schemathesis.HookContext, schema: dict) -> None:
    """Let the schema's examples be about the filled desk, so that calls find what they ask about.

    They move to the fields: a request has some of them, a random one as well.
    """
    for path, methods in schema["paths"].items():
        of_desk = {**QUERIES, "after": BOOK["places"].get(path.removeprefix("/api/v1")), "plan": BOOK["plan"]}
        for call in methods.values():
            for parameter in call["parameters"]:
                example = parameter.pop("example", None)
                if example := of_desk.get(parameter["name"], example):
                    parameter["schema"]["examples"] = [example]
            for kind, form in call.get("requestBody", {}).get("content", {}).items():
                if reference := form["schema"].get("$ref"):
                    fields = schema["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
                    for field, example in (form.pop("example") | BODIES.get(call["operationId"], {})).items():
                        fields[field]["examples"] = [example]
                else:
                    form["example"] = TICK_BODIES[kind]
            for name, parameters in LINKS.get(call["operationId"], {}).items():
                link = {"operationId": name, "parameters": parameters}
                call["responses"]["200"].setdefault("links", {})[name] = link


@schemathesis.serializer("application/x-ndjson", "text/csv", ARROW)
def as_bytes(_context: schemathesis.SerializationContext, text: str | Binary) -> bytes:
    """Return a body of ticks as it is sent: text as it stands, "a table" as an Arrow stream."""
    if text == TICK_BODIES[ARROW]:
        sink = BytesIO()
        with pa.ipc.new_stream(sink, TABLE.schema) as stream:
            stream.write_table(TABLE)
        return sink.getvalue()
    return text.data if isinstance(text, Binary) else str(text).encode("utf-8", "surrogatepass")


def for_so_many(settings_of: SettingsOf) -> SettingsOf:
    """Return what gives a call the settings of a phase, with as many random requests as it lacks."""

    def settings(
        config: ProjectConfig, *, operation: APIOperation | None = None, phase: str | None = None, **options: bool
    ) -> hypothesis.settings:
        settings = settings_of(config, operation=operation, phase=phase, **options)
        if operation is None or phase != "fuzzing":
            return settings
        label, counts = operation.label, answered.items()
        asked = sum(count for (call, scope, _), count in counts if call == label and scope != "refused")
        return hypothesis.settings(settings, max_examples=max(OF_EACH - asked, RANDOM_MIN))

    return settings


def by_each_scope(send: Send) -> Send:
    """Return a sender that shows a token of each scope where schemathesis shows the one of any."""

    def sent(adapter: HTTPAdapter, request: PreparedRequest, **options: object) -> Response:
        path = urlsplit(request.url).path
        if request.headers.get("Authorization") != ANY_SCOPE or path == SCHEMA:
            return send(adapter, request, **options)
        call, answers = f"{request.method} {path}", {}
        scopes = [opened_by[call]] if call in opened_by and answered[call, "refused", 403] >= REFUSALS else SCOPES
        for scope in scopes:
            request.headers["Authorization"] = f"Bearer {TOKENS[scope]}"
            answers[scope] = send(adapter, request, **options)
        let_in = [scope for scope, answer in answers.items() if not is_kept_out(answer)]
        statuses = {scope: answer.status_code for scope, answer in answers.items()}
        if call not in opened_by and (set(statuses.values()) <= {404, 405} or not path.startswith(CALLS)):
            return answers[let_in[0]]  # no call, so no scope
        assert len(let_in) == 1, f"{call} let in other than one scope: {statuses}"
        opened_by[call] = let_in[0]
        answered[call, let_in[0], statuses[let_in[0]]] += 1
        answered[call, "refused", 403] += len(statuses) > 1
        return answers[let_in[0]]

    return sent


def is_kept_out(answer: Response) -> bool:
    """Tell whether a token without the scope was refused as the document says."""
    return (
        answer.status_code == 403
        and answer.headers["Content-Type"] == "application/problem+json"
        and answer.json()["code"] == "scope_missing"
    )


def in_this_process(adapter: HTTPAdapter, request: PreparedRequest, **_: object) -> Response:
    """Return the application's answer, as ASGI's messages bring it."""
    url, body = urlsplit(request.url or ""), request.body or b""
    headers = {"host": url.netloc, **{name.lower(): text for name, text in request.headers.items()}}
    scope = {
        "type": "http", "http_version": "1.1", "asgi": {"version": "3.0"}, "method": request.method, "scheme": "http",
        "path": unquote(url.path), "raw_path": url.path.encode(), "root_path": "", "query_string": url.query.encode(),
        "headers": [(in_bytes(name), in_bytes(text)) for name, text in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("localhost", 80), "extensions": {},
    }  # fmt: skip
    start, *pieces = loop.run_until_complete(messages(scope, body.encode() if isinstance(body, str) else body))
    fields = HTTPHeaderDict((name.decode(), text.decode("latin-1")) for name, text in start["headers"])
    content = BytesIO(b"".join(piece.get("body", b"") for piece in pieces))
    return adapter.build_response(request, HTTPResponse(content, fields, start["status"], preload_content=False))


async def messages(scope: dict, body: bytes) -> list[dict]:
    """Return what the application sends to a request."""
    incoming: asyncio.Queue = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": body})
    outgoing: list[dict] = []

    async def send(message: dict) -> None:
        outgoing.append(message)

    await application(scope, incoming.get, send)
    return outgoing


def in_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def tell(path: Path) -> None:
    """Write how often each call was answered, by scope and status."""
    path.write_text(json.dumps([[*key, count] for key, count in sorted(answered.items())]))


if __name__ == "__main__":
    if not os.environ.get("VELOX_FUZZ_SERVED"):
        summon.summon = lambda: None
        HTTPAdapter.send = in_this_process
    HTTPAdapter.send = by_each_scope(HTTPAdapter.send)
    if OF_EACH:
        ProjectConfig.get_hypothesis_settings = for_so_many(ProjectConfig.get_hypothesis_settings)
    gc.freeze()
    atexit.register(gc.unfreeze)  # else libraries of C++ complain at the end that nobody freed them
    atexit.register(tell, Path("answered.json"))
    schemathesis.cli.schemathesis()
