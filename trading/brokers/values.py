"""What a broker's file says, as typed values: exact numbers, aware times, and where in the file each stands.

Nothing here is a guess: what a file does not tell is None, and what a reader left out stands in ``ignored`` or
``rejected`` with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from trading.domain.charge_heads import FillKind, Head, Segment

__all__ = [
    "ActionLine",
    "BillLine",
    "Broker",
    "ChargeLine",
    "EstimateLine",
    "FillKind",
    "FillLine",
    "Head",
    "InstrumentName",
    "NoteLine",
    "Place",
    "PositionLine",
    "Remark",
    "Segment",
    "Statement",
]


class Broker(StrEnum):
    """A broker by its name in commands, JSON and addresses."""

    ZERODHA = "zerodha"
    DHAN = "dhan"
    GROWW = "groww"
    UPSTOX = "upstox"
    ANGELONE = "angelone"
    FYERS = "fyers"
    PAYTM = "paytm"
    ICICI = "icici"
    IBKR = "ibkr"
    KITE = "kite"
    OTHER = "other"  # a file read by a mapping


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: file name, sheet ("" where it has none), and the row as a person counts it, from 1."""

    file: str
    sheet: str
    row: int


@dataclass(frozen=True, slots=True)
class InstrumentName:
    """How a file names an instrument: VELOX's exchange code (NSE, BSE, NFO, BFO, CDS, BCD, MCX, or a foreign one) and
    symbol where it tells them, ISIN, company name or the broker's own code where it has only those.

    ``multiplier`` is the contract's, as the file states it: an instrument with another one is not the same. ``group``
    is a share's at BSE, by which that exchange charges. ``expiry`` is the contract's last day, where the file
    states that day.
    """

    exchange: str | None = None
    symbol: str | None = None
    isin: str | None = None
    company: str | None = None
    code: str | None = None
    multiplier: Decimal | None = None
    group: str | None = None
    expiry: date | None = field(default=None, compare=False)  # which names nothing


@dataclass(frozen=True, slots=True)
class FillLine:
    """One fill as a broker tells it; ``side`` BUY or SELL, ``quantity`` above 0 in units, ``price`` in ``currency``.

    ``at`` is aware, and None where the file tells the day only. ``charges`` are those the row itself states, a rebate
    below 0; ``is_uncharged``: it has a cell for them and leaves that empty. ``product`` is "intraday" or "delivery"
    where the file tells it. ``amount`` is set where the file states quantity times price and no price: ``price`` is
    their quotient then, rounded at the 8th decimal where it does not come out even. ``voucher`` is the bill that the
    fill stands on. ``key`` names what an order update tells, which may be two fills (`domain.trade_building.live_key`).
    """

    place: Place
    instrument: InstrumentName
    segment: Segment | None
    side: str
    quantity: Decimal
    price: Decimal
    day: date
    at: datetime | None
    currency: str
    fill_id: str | None = None
    order_id: str | None = None
    product: str | None = None
    tag: str | None = None
    kind: FillKind = FillKind.TRADE
    charges: Mapping[Head, Decimal] = field(default_factory=dict)
    amount: Decimal | None = None
    voucher: str | None = None
    key: str | None = None
    is_uncharged: bool = False


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """A stated charge: of one day, or of a period ``day`` to ``last_day``; a cost above 0, a rebate below.

    ``segment``, ``exchange``, ``instrument`` are None where it is not apart by them. ``on_note``: a contract note
    states it, and not another file.
    """

    place: Place
    head: Head
    amount: Decimal
    day: date
    last_day: date
    segment: Segment | None = None
    exchange: str | None = None
    instrument: InstrumentName | None = None
    on_note: bool = False


@dataclass(frozen=True, slots=True)
class EstimateLine:
    """What a broker reckons an order's charges to be, by head: shown beside what was charged, and booked nowhere.

    ``total`` is the broker's own sum. ``side``, ``quantity`` and ``price`` are None where it does not repeat them.
    """

    place: Place
    instrument: InstrumentName
    charges: Mapping[Head, Decimal]
    total: Decimal
    side: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a broker's ledger: an amount that came (above 0) or went, and the balance after it, in ``currency``
    (None: the account's)."""

    place: Place
    day: date
    text: str
    amount: Decimal
    balance: Decimal | None = None
    voucher: str | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class PositionLine:
    """A position or a realised sum that a file states, over ``day`` to ``last_day``; each number None where untold."""

    place: Place
    instrument: InstrumentName
    day: date
    last_day: date
    quantity: Decimal | None = None
    average_price: Decimal | None = None
    bought_quantity: Decimal | None = None
    bought_value: Decimal | None = None
    sold_quantity: Decimal | None = None
    sold_value: Decimal | None = None
    realised_pnl: Decimal | None = None
    intraday_pnl: Decimal | None = None


@dataclass(frozen=True, slots=True)
class NoteLine:
    """A trade line of a contract note: stated beside the ledger and never booked."""

    place: Place
    instrument: InstrumentName
    side: str
    quantity: Decimal
    price: Decimal
    day: date
    at: datetime | None = None
    order_id: str | None = None
    fill_id: str | None = None
    net_amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """A row that was ignored or rejected: ``reason`` is a short stable code, ``text`` says it to a person."""

    place: Place
    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class ActionLine:
    """A corporate action that a file tells of: proposed to a person, never booked from here.

    ``kind`` is split, bonus, settlement or other; ``new`` for ``old`` units where the file tells them.
    """

    place: Place
    instrument: InstrumentName
    day: date
    kind: str
    text: str
    new: Decimal | None = None
    old: Decimal | None = None
    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """All that one file says. ``client`` is the client's code as it stands there: hash it before it is kept.

    ``zone`` is that of the file's times, "" where the file has clock times and names none: its fills' ``at`` is naive
    then, until `trading.brokers.zones.with_zone` has the zone that a person states. ``stated`` are totals that it
    prints by name, ``computed`` the same names added up from its rows: where they differ the file contradicts itself.
    ``rounding`` is how far one may lie from the other because the rows are rounded and the total is not, by name.
    ``is_empty``: it says itself that it holds nothing.
    """

    file: str
    sha256: str
    broker: Broker
    kind: str
    zone: str
    rows_read: int
    first_day: date | None = None
    last_day: date | None = None
    client: str | None = None
    fills: Sequence[FillLine] = ()
    charges: tuple[ChargeLine, ...] = ()
    bills: tuple[BillLine, ...] = ()
    positions: tuple[PositionLine, ...] = ()
    notes: tuple[NoteLine, ...] = ()
    actions: tuple[ActionLine, ...] = ()
    estimates: tuple[EstimateLine, ...] = ()
    ignored: tuple[Remark, ...] = ()
    rejected: tuple[Remark, ...] = ()
    stated: Mapping[str, Decimal] = field(default_factory=dict)
    computed: Mapping[str, Decimal] = field(default_factory=dict)
    rounding: Mapping[str, Decimal] = field(default_factory=dict)
    is_empty: bool = False

    @property
    def contradictions(self) -> tuple[str, ...]:
        """The names of totals that differ from what their rows add up to by more than rounding."""
        return tuple(
            name
            for name, total in self.stated.items()
            if name in self.computed and abs(total - self.computed[name]) > self.rounding.get(name, Decimal(0))
        )
