"""Pieces of pages that follow from the ledger alone: drawn once, and kept until the ledger has moved."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from trading.models import Account
from trading.queries.kept import KeptAnswers

BYTES_MAX = 32 * 2**20
_kept_pieces: KeptAnswers[SafeString] = KeptAnswers(BYTES_MAX, sys.getsizeof)


def drawn(account: Account, template: str, question: Hashable, context: Callable[[], Mapping[str, Any]]) -> SafeString:
    """Return a template drawn of what is asked of the ledger only where it was not drawn since the ledger moved.

    ``context`` reads all that it draws of the ledger: what was read before might be of before the ledger moved.
    ``question`` has all that the context follows from besides the account's ledger: the day too, where it does. The
    template gets no request: what is for one user or one address is no part of such a piece.
    """
    return _kept_pieces.of(account, (template, question), lambda: render_to_string(template, {**context()}))
