"""The address of a channel: which kinds may leave the machine, and what people may see of one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from trading.errors import InvalidValue

# Mail, Telegram, Slack, and webhooks over TLS: an https:// address gets the alert as JSON.
KINDS = frozenset({"https", "jsons", "mailto", "mailtos", "tgram", "slack"})
LOCAL_KINDS = frozenset({"http", "json"})  # of this machine alone, where nobody listens in between
NAMED_BY_HOST = frozenset({*KINDS - {"tgram", "slack"}, *LOCAL_KINDS})  # with others the token stands in its place
ADDRESS_CHARACTERS_MAX = 2000


def label_of(address: str, *, kinds: Collection[str] = ()) -> str:
    """Return what may be shown of an address: its kind, and the server where that is no secret.

    ``kinds`` are the further ones that the desk allows.

    Raises: InvalidValue for what is no address of an allowed kind; it tells nothing of the text.
    """
    try:
        parts = urlsplit(address.strip())
        host, kind = parts.hostname or "", parts.scheme.lower()
        has_server = kind not in NAMED_BY_HOST or parts.port != 0  # a port that is none raises
    except (ValueError, AttributeError):
        host, kind, has_server = "", "", False
    if not kind or not has_server or len(address) > ADDRESS_CHARACTERS_MAX or any(sign.isspace() for sign in address):
        raise _refused("This is no address of a channel.", "Expected such as mailtos://user:password@example.org.")
    is_allowed = kind in KINDS or kind in {word.lower() for word in kinds} or (kind in LOCAL_KINDS and _is_local(host))
    if not is_allowed:
        raise _refused(
            f"A channel of the kind {kind[:20]!r} is not allowed.",
            f"Use one of {', '.join(sorted(KINDS))}, or name its kind in VELOX_ALERT_KINDS.",
        )
    if not host:
        raise _refused("This address names no server and no token.", "Look how apprise writes one of its kind.")
    return f"{kind}://{host}/…" if kind in NAMED_BY_HOST else f"{kind}://…"


def first_refusal(addresses: Iterable[str], *, kinds: Collection[str] = ()) -> str:
    """Return the place of the first address that is none of an allowed kind, and why; "" where all are allowed."""
    for number, address in enumerate(addresses, 1):
        try:
            label_of(address, kinds=kinds)
        except InvalidValue as error:
            return f"address {number} cannot be used: {error}"
    return ""


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(text: str, hint: str) -> InvalidValue:
    return InvalidValue(text, field="url", hint=hint)
