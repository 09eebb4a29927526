"""A log event under the names of the Elastic Common Schema (ECS 1.6), for an ELK that takes lines as they are.

An event's own keywords stand in ``labels``, which ECS defines as keyword texts: a price that is once a number and once
a text would otherwise be refused by the index's mapping. Source of the names: github.com/elastic/ecs.
"""

from __future__ import annotations

import os
from typing import Any

import orjson

from velox_site.log_lines import Line

ECS_VERSION = "1.6.0"
# What django-structlog binds, by the name that ECS has for it.
FIELDS = {
    "request_id": ("http", "request", "id"),
    "user_id": ("user", "id"),
    "ip": ("client", "ip"),
}
EXCEPTION_FIELDS = {"type": "type", "message": "message", "traceback": "stack_trace"}


def as_ecs(line: Line) -> bytes:
    """Return one JSON object under ECS names and a newline."""
    document: dict[str, Any] = {
        "@timestamp": line.timestamp(),
        "log": {"level": line.level, "logger": line.logger},
        "message": _keyword(line.message),
        "ecs": {"version": ECS_VERSION},
        "service": {"name": "velox"},
        "event": {"dataset": f"velox.{line.logger}"},
        "process": {"pid": os.getpid()},
    }
    labels = {}
    for name, entry in line.context.items():
        if entry is None:
            continue
        if name == "exception" and isinstance(entry, dict):
            document["error"] = {
                EXCEPTION_FIELDS[field]: _keyword(text) for field, text in entry.items() if field in EXCEPTION_FIELDS
            }
        elif name in FIELDS:
            *objects, key = FIELDS[name]
            inner = document
            for field in objects:
                inner = inner.setdefault(field, {})
            inner[key] = _keyword(entry)
        else:
            labels[_keyword(name).replace(".", "_")] = _keyword(entry)
    if labels:
        document["labels"] = labels
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def _keyword(entry: Any) -> str:
    """Return an entry as the text that its JSON would show, whatever it is."""
    if isinstance(entry, str):
        text = entry
    else:
        try:
            text = orjson.dumps(entry, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
            text = text[1:-1] if text.startswith('"') else text
        except (TypeError, ValueError):
            try:
                text = repr(entry)
            except Exception:
                text = "unreadable"
    return str(text).encode("utf-8", "backslashreplace").decode()
