"""A log event under the names of the Elastic Common Schema (ECS 1.6), for an ELK that takes lines as they are.

An event's own data stand in ``labels``, which ECS defines as keyword texts: a price that is once a number and once a
text would otherwise be refused by the index's mapping. Source of the names: github.com/elastic/ecs.
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
    for name, value in line.context.items():
        if value is None:
            continue
        if name == "exception" and isinstance(value, dict):
            document["error"] = _error(value)
        elif name in FIELDS:
            _put(document, FIELDS[name], _keyword(value))
        else:
            labels[_keyword(name).replace(".", "_")] = _keyword(value)
    if labels:
        document["labels"] = labels
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def _error(told: dict[str, Any]) -> dict[str, str]:
    names = {"type": "type", "message": "message", "traceback": "stack_trace"}
    return {names[name]: _keyword(value) for name, value in told.items() if name in names}


def _put(document: dict[str, Any], path: tuple[str, ...], value: str) -> None:
    for name in path[:-1]:
        document = document.setdefault(name, {})
    document[path[-1]] = value


def _keyword(value: Any) -> str:
    """Return a value as the text that its JSON would show, whatever it is."""
    if not isinstance(value, str):
        try:
            value = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
            value = value[1:-1] if value.startswith('"') else value
        except (TypeError, ValueError):
            try:
                value = repr(value)
            except Exception:
                value = "unreadable"
    return str(value).encode("utf-8", "backslashreplace").decode()
