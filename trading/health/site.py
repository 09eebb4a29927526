"""The state of the address that people open: whether VELOX_SITE_URL answers, and how long its certificate lasts."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings

from trading.health import faults
from trading.health.state import OFF, OK, State

LOOK_AGAIN_SECONDS = 60.0  # where something is wrong

_looks: dict[str, tuple[datetime, State]] = {}  # of this process, by address: when the next look is due, and the last


def site(now: datetime) -> State:
    """Return the state of an https address, from a look of the last hour; asking takes two seconds at most."""
    url = settings.VELOX_SITE_URL
    if not url.startswith("https://"):
        return State(OFF, "", "VELOX_SITE_URL has no certificate: it is not https.")
    due_at, state = _looks.get(url, (now, State(OFF)))
    if now < due_at and due_at - now <= timedelta(seconds=faults.CERTIFICATE_EVERY_SECONDS):
        return state
    state = _look(url, now)
    seconds = faults.CERTIFICATE_EVERY_SECONDS if state.status == OK else LOOK_AGAIN_SECONDS
    _looks[url] = now + timedelta(seconds=seconds), state
    return state


def _look(url: str, now: datetime) -> State:
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or 443
    try:
        with (
            socket.create_connection((host, port), timeout=faults.ANSWER_SECONDS / 2) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secure,
        ):
            certificate = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return faults.CERTIFICATE_WRONG.state(f"The certificate of {host}: {error.verify_message}.")
    except OSError as error:
        return faults.SITE_UNREACHABLE.state(f"{host}:{port} does not answer: {error}.")
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    left = ends_at - now
    detail = f"The certificate of {host} ends on {ends_at:%d %b %Y}, in {left.days} days."
    if left <= timedelta(0):
        return faults.CERTIFICATE_WRONG.state(f"The certificate of {host} ended on {ends_at:%d %b %Y}.")
    if left < timedelta(days=faults.CERTIFICATE_DAYS):
        return faults.CERTIFICATE_ENDS.state(detail)
    return State(OK, "", detail)
