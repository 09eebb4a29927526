"""The rows of the ledger: its public face. Fills and journal carry the truth, the rest follows from them."""

from trading.models.alert import Alert, AlertChannel, AlertCursor, AlertDelivery
from trading.models.api_token import ApiToken, TokenRevocation, TokenScope
from trading.models.book import (
    Correction,
    DailySummary,
    DayNote,
    DayTotal,
    FollowerCursor,
    Journal,
    JournalHead,
    Realisation,
)
from trading.models.breaks import BreakEvent
from trading.models.charge import BrokeragePlan, StatedCharge
from trading.models.duty import DutyRow
from trading.models.imports import ActionDecision, BrokerFile, BrokerFill, CorporateAction, HoldingCost
from trading.models.limit import Limit
from trading.models.measured import Excursion, FeedGap
from trading.models.reference import (
    Account,
    CapitalFlow,
    Exchange,
    ExchangeSession,
    Instrument,
    Strategy,
    User,
)
from trading.models.saved_filter import SavedFilter
from trading.models.screenshot import Screenshot, ScreenshotWithdrawal
from trading.models.sealing import Seal
from trading.models.trade import Fill, FillKey, Review, Signal, SignalCondition, StopChange, Trade

__all__ = [
    "Account",
    "ActionDecision",
    "Alert",
    "AlertChannel",
    "AlertCursor",
    "AlertDelivery",
    "ApiToken",
    "BreakEvent",
    "BrokerFile",
    "BrokerFill",
    "BrokeragePlan",
    "CapitalFlow",
    "CorporateAction",
    "Correction",
    "DailySummary",
    "DayNote",
    "DayTotal",
    "DutyRow",
    "Exchange",
    "ExchangeSession",
    "Excursion",
    "FeedGap",
    "Fill",
    "FillKey",
    "FollowerCursor",
    "HoldingCost",
    "Instrument",
    "Journal",
    "JournalHead",
    "Limit",
    "Realisation",
    "Review",
    "SavedFilter",
    "Screenshot",
    "ScreenshotWithdrawal",
    "Seal",
    "Signal",
    "SignalCondition",
    "StatedCharge",
    "StopChange",
    "Strategy",
    "TokenRevocation",
    "TokenScope",
    "Trade",
    "User",
]
