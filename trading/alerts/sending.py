"""The process that sends one message and ends: the only one that imports apprise and its plugins.

It reads a JSON object from stdin ({"url", "title", "body", "severity"}, or {"ping"} for an all-clear), writes
the line ``ready`` once it has loaded, and then an answer: {"outcome", "status"}. Whoever started it kills it when it
takes too long. It writes no word of an address, and follows no redirect: an address that moved is told as such.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

import apprise
import requests

SENT, REFUSED, REDIRECTED, UNREACHABLE = "sent", "refused", "redirected", "unreachable"
TIMED_OUT, NO_ADDRESS, FAILED = "timed_out", "no_address", "failed"
REQUEST_SECONDS = 8.0
SLACK_HOOKS = "hooks.slack.com"
JSON_OVER = {"http": "json", "https": "jsons"}
PLUGINS = {
    "json": ("custom_json", "NotifyJSON"),
    "jsons": ("custom_json", "NotifyJSON"),
    "mailto": ("email", "NotifyEmail"),
    "mailtos": ("email", "NotifyEmail"),
    "tgram": ("telegram", "NotifyTelegram"),
    "slack": ("slack", "NotifySlack"),
}

Answers = list[tuple[str, int]]


def main() -> int:
    """Send what stdin asks for and write what became of it; return 0."""
    request = json.load(sys.stdin)
    logging.disable()  # apprise's own lines have addresses in them
    # Apprise waits for four seconds alone: what is taken after five would be sent again and again.
    apprise.URLBase.socket_read_timeout = REQUEST_SECONDS
    answers: Answers = []
    requests.Session.send = _watched(requests.Session.send, answers)
    service = None if "ping" in request else _service(request["url"])
    _say("ready")
    outcome = _ping(request["ping"]) if "ping" in request else _notify(request, service)
    # The word of the wire says more than apprise's: which request failed, whatever became of those beside it.
    failures = [answer for answer in answers if answer[0] != SENT]
    if outcome == FAILED and failures:
        outcome, status = failures[-1]
    else:
        status = answers[-1][1] if answers else 0
    _say(json.dumps({"outcome": outcome, "status": status}))
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _notify(request: dict[str, str], service: apprise.NotifyBase | None) -> str:
    if service is None:
        return NO_ADDRESS
    service.redirects = False
    desk = apprise.Apprise()
    desk.add(service)
    answer = desk.notify(
        title=request["title"],
        body=request["body"],
        notify_type=request["severity"],
        body_format=apprise.NotifyFormat.TEXT,
        interpret_escapes=False,
    )
    # The answer is falsy for "no address" as for "failed": only its status tells them apart.
    return {"SUCCESS": SENT, "NOMATCH": NO_ADDRESS, "TIMEOUT": TIMED_OUT}.get(answer.status.name, FAILED)


def _service(url: str) -> apprise.NotifyBase | None:
    """Return apprise's service for an address, None where it is none; a web address gets JSON, but for Slack's own."""
    parts = urlsplit(url)
    scheme = "slack" if parts.hostname == SLACK_HOOKS else JSON_OVER.get(parts.scheme, parts.scheme)
    if scheme not in PLUGINS:
        return apprise.Apprise.instantiate(url, suppress_exceptions=True)
    # One plugin alone: to load all of them takes a second of a processor.
    module, name = PLUGINS[scheme]
    plugin = getattr(importlib.import_module(f"apprise.plugins.{module}"), name)
    settings = plugin.parse_native_url(url) or plugin.parse_url(urlunsplit(parts._replace(scheme=scheme)))
    try:
        return plugin(**settings) if settings else None
    except TypeError:  # so apprise says that something is missing in the address
        return None


def _ping(url: str) -> str:
    try:
        answer = requests.get(url, timeout=REQUEST_SECONDS, allow_redirects=False)
    except requests.RequestException:
        return FAILED
    return SENT if answer.status_code < 300 else FAILED


def _watched(send: Callable[..., requests.Response], answers: Answers) -> Callable[..., requests.Response]:
    """Return ``send`` of requests so that it notes how each request ended."""

    def noted(session: requests.Session, request: requests.PreparedRequest, **options: float) -> requests.Response:
        try:
            response = send(session, request, **options)
        except requests.Timeout:
            answers.append((TIMED_OUT, 0))
            raise
        except requests.RequestException:
            answers.append((UNREACHABLE, 0))
            raise
        word = REDIRECTED if response.is_redirect else SENT if response.status_code < 300 else REFUSED
        answers.append((word, response.status_code))
        return response

    return noted


if __name__ == "__main__":
    sys.exit(main())
