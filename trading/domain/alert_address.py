"""The address of a channel: which kinds may leave the machine, and what people may see of one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from ipaddress import ip_address
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from trading.errors import InvalidValue

# Mail, Telegram, Slack, and webhooks over TLS: an https:// address gets the alert as JSON.
KINDS = frozenset({"https", "jsons", "mailto", "mailtos", "tgram", "slack"})
LOCAL_KINDS = frozenset({"http", "json"})  # of this machine alone, where nobody listens in between
NAMED_BY_HOST = frozenset({*KINDS - {"tgram", "slack"}, *LOCAL_KINDS})  # with others the token stands in its place
ADDRESS_CHARACTERS_MAX = 2000
# The options in which an address of these kinds names who gets a message, beside its path, and those who get a copy.
_COPIES = {"mailto": ("cc", "bcc"), "mailtos": ("cc", "bcc"), "tgram": ()}
_BETWEEN = re.compile(r"[\s,;]+")


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


def addresses_of(address: str) -> list[str]:
    """Return an address for each mailbox or chat that one of mail or Telegram names; any other by itself.

    Each of them is a channel: a message that one refuses is not sent again to those that have it.
    """
    parts = urlsplit(address.strip())
    copies = _COPIES.get(parts.scheme.lower())
    if copies is None or parts.fragment:
        return [address]
    options = [(option.partition("=")[0].lower(), option) for option in parts.query.split("&") if option]
    others = [option for name, option in options if name not in ("to", *copies)]
    places = [place for place in parts.path.split("/") if place]
    recipients = [*places, *_named("to", options)]
    recipients += [each for name in copies for each in _named(name, options)] if recipients else []
    if len(recipients) < 2 or any(sign in unquote(each) for each in recipients for sign in '<>"'):
        return [address]
    queries = ["&".join([*others, f"to={quote(unquote(each), safe='@')}"]) for each in dict.fromkeys(recipients)]
    return [urlunsplit(parts._replace(path="/", query=query)) for query in queries]


def _named(word: str, options: Iterable[tuple[str, str]]) -> list[str]:
    """Return those whom the options of a name have as recipients."""
    texts = [unquote(option.partition("=")[2]) for name, option in options if name == word]
    return [each for text in texts for each in _BETWEEN.split(text) if each]


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
