"""What a caller of VELOX may catch, as docs/promises.md lists it: one import for all of it."""

from __future__ import annotations

from collections.abc import Sequence

from timeseries.errors import (
    AmbiguousTick,
    FlushTimeout,
    InvalidValue,
    QueryTimeout,
    RecorderClosed,
    SourceBusy,
    SpoolFailed,
    SpoolFull,
    StoreDamaged,
    StoreMisconfigured,
    StoreUnavailable,
    VeloxError,
    WrongLanguage,
)

__all__ = [
    "AmbiguousTick",
    "AmbiguousTrade",
    "CrossesZero",
    "CurrencyMismatch",
    "FileLocked",
    "FlushTimeout",
    "IdConflict",
    "InvalidValue",
    "LedgerBusy",
    "LedgerNotReady",
    "LedgerReadOnly",
    "LedgerUnconfirmed",
    "LikelySlip",
    "NotTradable",
    "QueryTimeout",
    "RecorderClosed",
    "SourceBusy",
    "SpoolFailed",
    "SpoolFull",
    "StoreDamaged",
    "StoreMisconfigured",
    "StoreUnavailable",
    "TradeClosed",
    "UnknownAccount",
    "UnknownLayout",
    "UnknownTrade",
    "UnreadableFile",
    "VeloxError",
    "WrongClient",
    "WrongLanguage",
]


class IdConflict(VeloxError):
    """An id that is known with other content; nothing was written."""

    code = "id_conflict"


class AmbiguousTrade(VeloxError):
    """An id that two open trades have; name the strategy."""

    code = "ambiguous_trade"


class UnknownAccount(VeloxError, LookupError):
    """A code that no account has; `manage.py account` makes one."""

    code = "unknown_account"


class UnknownTrade(VeloxError, LookupError):
    """An id that no trade of the account has."""

    code = "unknown_trade"


class TradeClosed(VeloxError):
    """A trade that is closed; nothing was written."""

    code = "trade_closed"


class CrossesZero(VeloxError):
    """A fill larger than what is open: book the closing part, then open a new trade with the rest."""

    code = "crosses_zero"


class CurrencyMismatch(VeloxError):
    """An instrument in another currency than the account's: book it in an account of that currency."""

    code = "currency_mismatch"


class NotTradable(VeloxError):
    """An instrument that cannot be traded (an index)."""

    code = "not_tradable"


class LikelySlip(VeloxError):
    """What a person enters by hand and has likely mistyped: ``warnings`` are words to accept; nothing was written."""

    code = "likely_slip"

    def __init__(self, warnings: Sequence[str]) -> None:
        super().__init__(
            f"Likely a slip: {', '.join(warnings)}.", hint="Nothing was written. Put it right, or accept it."
        )
        self.warnings = tuple(warnings)


class LedgerBusy(VeloxError):
    """A ledger that did not become free in time; nothing was written, call again."""

    code = "ledger_busy"


class LedgerReadOnly(LedgerBusy):
    """A ledger that can be read here but not written; nothing was written."""

    code = "ledger_read_only"


class LedgerUnconfirmed(VeloxError):
    """A commit that the server or its standby did not confirm in time: it may be written; call again to be sure."""

    code = "ledger_unconfirmed"


class LedgerNotReady(VeloxError):
    """Tables of the ledger that are missing or of another version than the code: run `manage.py migrate`."""

    code = "ledger_not_ready"


class UnreadableFile(InvalidValue):
    """A broker's file that cannot be opened: damaged, too large, or with what no such file needs; nothing was read."""

    code = "unreadable_file"


class FileLocked(UnreadableFile):
    """A broker's file that is locked by a password, where none or a wrong one came; nothing was read."""

    code = "file_locked"


class UnknownLayout(InvalidValue):
    """A broker's file in a layout that no reader is written for; nothing was read."""

    code = "unknown_layout"


class WrongClient(InvalidValue):
    """A broker's file of another client than the account's; nothing was written."""

    code = "wrong_client"
