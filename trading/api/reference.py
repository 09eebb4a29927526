"""`/api/v1/docs/`: the reference of the interface for people who are logged in, written by the server from the schema.

Swagger UI and Redoc write styles into the page as they draw it, which the desk's policy forbids.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from ninja.types import DictStrAny

from trading.api.application import api
from trading.api.schema import STREAM
from trading.api.tables import ARROW, CSV

REFERENCE = "#/components/schemas/"
NAMES = {CSV: "CSV", ARROW: "Arrow", STREAM: "events, without end"}


@dataclass(frozen=True, slots=True)
class FieldWords:
    """A parameter or field in words: its name, its type, whether it must be there, and what it is without."""

    name: str
    kind: str
    of: str  # the type that it refers to, "" where it refers to none
    is_required: bool
    default: str | int | None


@dataclass(frozen=True, slots=True)
class CallWords:
    """A call in words: how it is asked, what it answers, how it is refused."""

    method: str
    path: str
    summary: str
    description: str
    scope: str
    fields: list[FieldWords]
    example: str  # "" where it takes nothing
    answer: str
    forms: str  # beside JSON, "" where there is none
    statuses: list[str]


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """Show every call and every type."""
    schema = api.get_openapi_schema()
    schemas = schema["components"]["schemas"]
    calls = [
        _call(path, method, call, schemas)
        for path, methods in schema["paths"].items()
        for method, call in methods.items()
    ]
    asked = {model for model in schemas if model.endswith(("Query", "Body", "Span"))}
    types = {name: _fields(model) for name, model in sorted(schemas.items()) if name not in asked}
    return render(request, "velox/api.html", {"calls": calls, "types": types, "section": "api"})


def _call(path: str, method: str, call: DictStrAny, schemas: DictStrAny) -> CallWords:
    fields = [
        FieldWords(each["name"], *_kind(each["schema"]), each["required"], each["schema"].get("default"))
        for each in call["parameters"]
    ]
    if "requestBody" in call:
        content = call["requestBody"]["content"].values()
        for form in content:
            fields += _fields(schemas.get(form["schema"].get("$ref", "").removeprefix(REFERENCE), {}))
    content = call["responses"].get(200, {}).get("content", {})
    forms = " ".join(NAMES[kind] for kind in content if kind in NAMES)
    answers = {_kind(form["schema"])[1] for form in content.values()} - {""}
    return CallWords(
        method.upper(), path, call["summary"], call.get("description", ""), " ".join(call.get("tags", ())), fields,
        _example(call), next(iter(answers), ""), forms, sorted(map(str, call["responses"])),
    )  # fmt: skip


def _example(call: DictStrAny) -> str:
    """Return query and body of a request that is answered with 200."""
    parameters = {each["name"]: each["example"] for each in call["parameters"] if "example" in each}
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    query = f"?{urlencode(parameters, doseq=True, safe=':')}" if parameters else ""
    return " ".join(filter(None, (query, "" if body is None else json.dumps(body))))


def _fields(model: DictStrAny) -> list[FieldWords]:
    required = model.get("required", ())
    return [
        FieldWords(name, *_kind(field), name in required, field.get("default"))
        for name, field in model.get("properties", {}).items()
    ]


def _kind(schema: DictStrAny) -> tuple[str, str]:
    """Return the type of a value in words, and the name of the type that it refers to."""
    match schema:
        case {"$ref": str(reference)}:
            name = reference.removeprefix(REFERENCE)
            words = name, name
        case {"anyOf": [*choices]}:
            kinds = [_kind(choice) for choice in choices]
            words = " or ".join(dict.fromkeys(kind for kind, _ in kinds)), next((of for _, of in kinds if of), "")
        case {"type": "array", "items": dict(items)}:
            words = f"list of {_kind(items)[0]}", _kind(items)[1]
        case {"additionalProperties": dict(items)}:
            words = f"object of {_kind(items)[0]}", _kind(items)[1]
        case {"enum": [*choices]}:
            words = " ".join(map(str, choices)), ""
        case {"format": str(form)}:
            words = form, ""
        case {"pattern": str(), "maxLength": int()}:
            words = "name", ""
        case {"pattern": str()}:
            words = "decimal text", ""
        case _:
            words = str(schema.get("const", schema.get("type", "anything"))), ""
    return words
