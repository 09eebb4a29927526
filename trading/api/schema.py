"""The schema: what ninja makes of the types, with examples, and every status that a call may be refused with."""

from __future__ import annotations

import json
from functools import partial

from ninja import NinjaAPI, Schema
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.types import DictStrAny

from trading.api.examples import BODIES, PARAMETERS, TICKS
from trading.api.problems import MEDIA_TYPE, TITLES
from trading.api.tables import ARROW, CSV

PROBLEM = "Problem"
EVERY_CALL = (401, 403, 405, 422, 429, 500, 503)
READ, RECORD = (404, 409), (404, 408, 409, 413, 415)
STREAM = "text/event-stream"
to_text = partial(json.dumps, ensure_ascii=False)


class ProblemAnswer(Schema):
    """Why a call is refused, and what to do (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None
    hint: str


class DeskApi(NinjaAPI):
    """ninja's application, whose schema says how it refuses; a call is known by the name of its view."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: DictStrAny | None = None
    ) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        schemas = schema["components"]["schemas"]
        schemas[PROBLEM] = ProblemAnswer.model_json_schema()
        for methods in schema["paths"].values():
            for method, call in methods.items():
                _complete(call, method)
                _add_examples(call)
        return schema


def _complete(call: DictStrAny, method: str) -> None:
    """Say of a call how it may be refused, in which forms it answers, and that no query holds null."""
    for parameter in call["parameters"]:
        parameter["schema"] = _without_null(parameter["schema"])
    answers = call["responses"]
    forms = answers[200]["content"].keys() & {CSV, ARROW}
    if method == "get" and STREAM not in answers[200]["content"]:
        answers[304] = {"description": "The answer is what If-None-Match names"}
    statuses = (
        *EVERY_CALL,
        *(READ if method == "get" else RECORD),
        *((406,) if forms else ()),
        *((504,) if ARROW in forms else ()),
    )
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{PROBLEM}"}}}
    answers |= {status: {"description": TITLES[status], "content": content} for status in sorted(statuses)}


def _add_examples(call: DictStrAny) -> None:
    """Say of a call what it may be asked with."""
    for parameter in call["parameters"]:
        if (example := PARAMETERS.get(parameter["name"])) is not None:
            parameter["example"] = example
    forms = call.get("requestBody", {}).get("content", {})
    examples = TICKS if len(forms) > 1 else {"application/json": BODIES.get(call["operationId"])}
    for kind in forms.keys() & examples.keys():
        forms[kind]["example"] = examples[kind]


def _without_null(schema: DictStrAny) -> DictStrAny:
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if not choices:
        return schema
    others = {name: each for name, each in schema.items() if name != "anyOf"}
    return others | (choices[0] if len(choices) == 1 else {"anyOf": choices})


def schema_text(schema: OpenAPISchema) -> str:
    """Return the schema as docs/openapi.json keeps it: a line for each call and each type."""
    head = {name: each for name, each in schema.items() if name not in ("paths", "components")}
    components = {name: each for name, each in schema["components"].items() if name != "schemas"}
    return (
        f"{to_text(head)[:-1]},\n"
        f'"paths": {{\n{_lines(schema["paths"])}\n}},\n'
        f'"components": {to_text(components)[:-1]}, "schemas": {{\n{_lines(schema["components"]["schemas"])}\n}}}}}}\n'
    )


def _lines(entries: DictStrAny) -> str:
    return ",\n".join(f"{to_text(name)}: {to_text(entry)}" for name, entry in entries.items())
