"""The words of charges: heads, segments, and how units came or went."""

from __future__ import annotations

from enum import StrEnum


class Segment(StrEnum):
    """The segment that a contract is charged by."""

    EQUITY = "equity"
    FUTURES = "futures"
    OPTIONS = "options"
    CURRENCY_FUTURES = "currency_futures"
    CURRENCY_OPTIONS = "currency_options"
    COMMODITY_FUTURES = "commodity_futures"
    COMMODITY_OPTIONS = "commodity_options"


class Head(StrEnum):
    """A head of charges, as every page and every JSON names it."""

    BROKERAGE = "brokerage"
    STT = "stt"
    CTT = "ctt"
    EXCHANGE = "exchange"
    IPFT = "ipft"
    SEBI = "sebi"
    STAMP = "stamp"
    GST = "gst"
    DP = "dp"
    OTHER = "other"  # a head that no schedule computes, such as MTF interest


# Each head as tables and forms title it.
HEAD_TITLES = {
    Head.BROKERAGE: "Brokerage",
    Head.STT: "STT",
    Head.CTT: "CTT",
    Head.EXCHANGE: "Exchange",
    Head.IPFT: "IPFT",
    Head.SEBI: "SEBI",
    Head.STAMP: "Stamp",
    Head.GST: "GST",
    Head.DP: "DP",
    Head.OTHER: "Other",
}


class FillKind(StrEnum):
    """How units came or went."""

    TRADE = "trade"
    EXPIRY = "expiry"  # worthless, at price 0: a settlement and no sale
    EXERCISE = "exercise"  # exercised or assigned, at its settlement price
    DELIVERY = "delivery"  # settled in shares: the contract that goes, and the shares that come or go for it
    ORDER = "order"  # the sum of an order's fills, or without its id of a day's: its fills may follow
