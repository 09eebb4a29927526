"""What a caller of VELOX may catch: one import for all of it."""

from __future__ import annotations

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
    "FlushTimeout",
    "IdConflict",
    "InvalidValue",
    "LedgerBusy",
    "LedgerNotReady",
    "LedgerReadOnly",
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
    "UnknownTrade",
    "VeloxError",
    "WrongLanguage",
]


class IdConflict(VeloxError):
    """The id is known with other content; nothing was written."""

    code = "id_conflict"


class AmbiguousTrade(VeloxError):
    """Two open trades answer to this id; name the strategy."""

    code = "ambiguous_trade"


class UnknownAccount(VeloxError, LookupError):
    """There is no account of this code; `manage.py account` makes one."""

    code = "unknown_account"


class UnknownTrade(VeloxError, LookupError):
    """There is no trade of this id in this account."""

    code = "unknown_trade"


class TradeClosed(VeloxError):
    """The trade is closed; nothing was written."""

    code = "trade_closed"


class CrossesZero(VeloxError):
    """The fill is larger than what is open: book the closing part, then open a new trade with the rest."""

    code = "crosses_zero"


class CurrencyMismatch(VeloxError):
    """The instrument is traded in another currency than the account's: book it in an account of that currency."""

    code = "currency_mismatch"


class NotTradable(VeloxError):
    """The instrument cannot be traded (an index)."""

    code = "not_tradable"


class LedgerBusy(VeloxError):
    """The ledger did not become free in time; nothing was written, call again."""

    code = "ledger_busy"


class LedgerReadOnly(LedgerBusy):
    """The ledger can be read here but not written; nothing was written."""

    code = "ledger_read_only"


class LedgerNotReady(VeloxError):
    """The ledger's tables are missing or older than the code: run `manage.py migrate`."""

    code = "ledger_not_ready"
