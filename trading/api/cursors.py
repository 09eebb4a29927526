"""Places in lists as programs see them: texts that tell nothing, and that lead nowhere in another account."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings

from trading.errors import InvalidValue
from trading.queries.places import RowPlace


def text_of(place: RowPlace | None, account: str) -> str | None:
    """Return a place as a text, the same at each call: the keys of rows would tell how much other accounts wrote."""
    if place is None:
        return None
    sealed = _cipher().encrypt(f"{place.at.isoformat()} {place.pk}".encode(), [account.encode()])
    return urlsafe_b64encode(sealed).decode()


def place_of(text: str | None, account: str) -> RowPlace | None:
    """Return the place that `text_of` wrote for the account. Raises: InvalidValue."""
    if text is None:
        return None
    try:
        instant, pk = _cipher().decrypt(urlsafe_b64decode(text.encode()), [account.encode()]).decode().split(" ")
        return RowPlace(datetime.fromisoformat(instant), int(pk))
    except (ValueError, InvalidTag) as error:
        raise InvalidValue("after is no place.", field="after", hint="Give `next` of the page before.") from error


def _cipher() -> AESSIV:
    return AESSIV(sha256(f"cursor {settings.SECRET_KEY}".encode()).digest())
