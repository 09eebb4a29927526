"""The rows that a trade must have, counted anew from the bodies of its journal alone. Pure.

Each operation on a trade has one function in `OPERATIONS` that takes the trade so far and the operation's body. A new
operation: journal everything that its rows hold (with the rows' keys), write its function here, and name the rows it
makes in `rows`; `trading.proof.verification` compares every column it names, whatever the table. A column that is
left out of a row is not compared.

Values are in the forms of the journal: money in units of 10^-8, times as ISO texts, keys as ints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from trading.domain import position
from trading.domain.chain import Body
from trading.domain.money import SCALE
from trading.domain.position import EXIT, SPLIT, Execution, Holding, Realised

MONEY = ("price", "quantity", "charges")
VOID, CHARGES, CONTRACT = "void", "charges", "contract"  # kinds of a correction


@dataclass(frozen=True, slots=True)
class References:
    """Keys and terms of the rows that trades refer to, as the seals tell them; multipliers in units of 10^-8."""

    accounts: dict[str, int]
    strategies: dict[str, int]
    instruments: dict[tuple[str, str], int]
    multipliers: dict[int, int]
    default_exchange: str
    first_multipliers: dict[int, int] = field(default_factory=dict)  # of instruments that were corrected since
    exchanges: dict[int, tuple[int, str]] = field(default_factory=dict)  # of each instrument: key and zone

    def strategy(self, body: Body) -> int | None:
        """Return the key of the strategy that a body names."""
        return body.get("strategy_pk", self.strategies.get(body["strategy"]))

    def instrument(self, body: Body) -> int | None:
        """Return the key of the instrument that a body names."""
        if "instrument_pk" in body:
            return int(body["instrument_pk"])
        symbol: str = body["symbol"]
        exchange, _, rest = symbol.partition(":")
        # Under a prefix that nobody knew at the time it was booked on the default exchange.
        return self.instruments.get((self.default_exchange, symbol)) or self.instruments.get((exchange, rest))

    def day_of(self, instant: str, instrument: int) -> str:
        """Return the trading day of an instant on the instrument's exchange."""
        zone = ZoneInfo(self.exchanges[instrument][1])
        return datetime.fromisoformat(instant).astimezone(zone).date().isoformat()


@dataclass(slots=True)
class Recount:
    """A trade, operation after operation. ``fills`` are its rows; ``standing`` those that count, as corrected."""

    references: References
    account: int
    trade: Body = field(default_factory=dict)
    fills: list[Body] = field(default_factory=list)
    keys: list[Body] = field(default_factory=list)  # of fills that have their broker's id
    standing: dict[int, Body] = field(default_factory=dict)
    exits: list[Body] = field(default_factory=list)
    stops: list[Body] = field(default_factory=list)
    corrections: list[Body] = field(default_factory=list)
    review: Body | None = None
    is_void: bool = False
    taken: int = 0
    multiplier: int = SCALE

    def take(self, body: Body, row: int) -> None:
        """Count one operation, and note its ``row`` in the journal.

        Raises: KeyError for an operation that nobody knows, or a body that lacks something.
        """
        OPERATIONS[body["op"]](self, body)
        self.taken = row
        if "flags" in body["trade"]:
            self.trade["flags"] = body["trade"]["flags"]

    def folded(self) -> tuple[Holding, list[Realised]]:
        """Return the trade's holding after the fills that stand, and what each exit realised."""
        executions = [
            Execution(fill["side"], fill["price"], fill["quantity"], fill["charges"], fill["role"] == SPLIT)
            for fill in self.standing.values()
        ]
        return position.fold(self.trade["side"], self.multiplier, executions)

    def settle(self) -> None:
        """Bring ``trade`` and ``exits`` up to the operations that were taken so far."""
        holding, realised = self.folded()
        is_void, is_open, trade = self.is_void, bool(holding.open_quantity), self.trade
        last = next(reversed(self.standing.values()))
        trade |= {  # a void trade holds nothing and brought nothing; what its entries were stays
            "open_quantity": 0 if is_void else holding.open_quantity,
            "open_cost": 0 if is_void else holding.open_cost,
            "realised_pnl": 0 if is_void else holding.realised_pnl,
            "charges": None if is_void else holding.charges,
            "entry_quantity": holding.entry_quantity,
            "entry_value": holding.entry_value,
            "state": "VOID" if is_void else "OPEN" if is_open else "CLOSED",
            "closed_at": None if is_open or is_void else last["at"],
        }
        exit_fills = [] if is_void else [fill for fill in self.standing.values() if fill["role"] == EXIT]
        exits = zip(exit_fills, [] if is_void else realised, strict=True)
        self.exits = [self._exit(fill, realisation) for fill, realisation in exits]

    def _exit(self, fill: Body, realised: Realised) -> Body:
        """Return the row of what an exit fill realised."""
        trade = self.trade
        row = {
            "trade_id": trade["id"],
            "account_id": trade["account_id"],
            "strategy_id": trade["strategy_id"],
            "instrument_id": trade["instrument_id"],
            "at": fill["at"],
            "day": fill["day"],
            "quantity": realised.quantity,
            "cost": realised.cost,
            "proceeds": realised.proceeds,
            "charges": realised.charges,
            "pnl": realised.pnl,
            "closes": realised.closes,
        }
        for name, key in (("id", fill.get("realisation_pk")), ("fill_id", fill.get("id"))):
            if key is not None:
                row[name] = key
        return row

    def rows(self) -> Iterator[tuple[str, Body]]:
        """Yield every row that the trade must have now, each with its table, by the terms that its instrument has;
        settles it."""
        if not self.is_void:
            self.multiplier = self.references.multipliers.get(self.trade["instrument_id"], SCALE)
            _risk(self)
        self.settle()
        yield "trading_trade", self.trade
        for fill in self.fills:
            yield "trading_fill", fill
        for fill_key in self.keys:
            yield "trading_fillkey", fill_key
        for stop in self.stops:
            yield "trading_stopchange", stop
        for exit in self.exits:
            yield "trading_realisation", exit
        for correction in self.corrections:
            yield "trading_correction", correction
        if self.review is not None:
            yield "trading_review", self.review


@lru_cache(maxsize=1 << 14)  # prices stand on ticks, quantities on lots: most have been read before
def units(amount: str | None) -> int | None:
    """Return a plain decimal text of at most 8 decimals in units of 10^-8."""
    if amount is None:
        return None
    whole, _, decimals = amount.lstrip("-").partition(".")
    magnitude = int(whole) * SCALE + int(f"{decimals:0<8}")
    return -magnitude if amount.startswith("-") else magnitude


def _opened(recount: Recount, body: Body) -> None:
    trade, fill, stop = body["trade"], body["fill"], units(body["stop_price"])
    instrument = recount.references.instrument(trade)
    recount.trade |= {
        "id": trade["pk"],
        "account_id": recount.account,
        "strategy_id": recount.references.strategy(trade),
        "instrument_id": instrument,
        "trade_id": trade["trade_id"],
        "trading_day": trade["trading_day"],
        "side": trade["side"],
        "opened_at": fill["at"],
        "recorded_at": body["recorded_at"],
        "stop_price": stop,
        "initial_stop_price": stop,
        "target_price": units(body["target_price"]),
        "exit_reason": "",
        "close_price": None,
        "reported_pnl": None,
        "reported_pnl_percent": None,
    }
    if "multiplier" in body:
        recount.multiplier = units(body["multiplier"]) or SCALE
    else:  # an older journal: what it was before anybody corrected it
        key, references = -1 if instrument is None else instrument, recount.references
        recount.multiplier = references.first_multipliers.get(key, references.multipliers.get(key, SCALE))
    _filled(recount, body)
    _risk(recount)


def _built(recount: Recount, body: Body) -> None:
    fills = [{**fill, "recorded_at": body["recorded_at"]} for fill in body["fills"]]
    if not recount.fills:
        _opened(recount, {**body, **fills.pop(0)})
    for fill in fills:
        _filled(recount, fill)
    recount.trade["exit_reason"] = body["exit_reason"]


def _risk(recount: Recount) -> None:
    first, stop = next(iter(recount.standing.values())), recount.trade["initial_stop_price"]
    distance = 0 if stop is None else abs(first["price"] - stop)
    risk = None if stop is None else position.value_of(distance, first["quantity"], recount.multiplier)
    recount.trade["initial_risk"] = risk


def _filled(recount: Recount, body: Body) -> None:
    fill = body["fill"]
    row = {
        **fill,
        "price": units(fill["price"]),
        "quantity": units(fill["quantity"]),
        "charges": units(fill["charges"]),
        "trade_id": recount.trade["id"],
        "is_day_only": fill.get("is_day_only", False),
        "settlement": fill.get("settlement", ""),
        "recorded_at": body["recorded_at"],
    }
    if "fill_pk" in body:
        row["id"] = body["fill_pk"]
    recount.fills.append(row)
    day = body["realised"]["day"] if "realised" in body else None
    if fill["fill_id"] is not None and fill["role"] != SPLIT:
        _add_key(recount, row, body.get("fill_key"))
    recount.standing[fill["sequence"]] = {**row, "day": day, "realisation_pk": body.get("realisation_pk")}


def _add_key(recount: Recount, fill: Body, journaled: Body | None) -> None:
    """Note the key that a fill has on its trading day. An older journal tells neither day nor number: these rows were
    made when the ledger got its keys."""
    instrument = recount.trade["instrument_id"]
    day = recount.references.day_of(fill["at"], instrument) if journaled is None else journaled["day"]
    row = {
        "account_id": recount.account,
        "exchange_id": recount.references.exchanges[instrument][0],
        "day": day,
        "broker_fill_id": fill["fill_id"],
        "trade_id": recount.trade["id"],
    }
    row |= {"fill_id": fill["id"]} if "id" in fill else {}
    row |= {} if journaled is None else {"id": journaled["pk"], "number": journaled["number"]}
    recount.keys.append(row)


def _closed(recount: Recount, body: Body) -> None:
    if "fill" in body:
        _filled(recount, body)
    recount.trade |= {
        "close_price": units(body["close_price"]),
        "exit_reason": body["exit_reason"],
        "reported_pnl": units(body["reported_pnl"]),
        "reported_pnl_percent": units(body["reported_pnl_percent"]),
    }


def _stopped(recount: Recount, body: Body) -> None:
    stop = body["stop"]
    price = units(stop["stop_price"])
    if all(earlier["at"] <= stop["at"] for earlier in recount.stops):
        recount.trade["stop_price"] = price  # a late one does not move what stands now
    row = {**stop, "stop_price": price, "extreme_price": units(stop["extreme_price"])}
    row |= {"trade_id": recount.trade["id"], "recorded_at": body["recorded_at"]}
    recount.stops.append(_keyed(row, body, "stop_pk"))


def _split(recount: Recount, body: Body) -> None:
    _filled(recount, body)
    recount.trade["target_price"] = units(body["target_price"])
    if "stop" in body:
        _stopped(recount, body)


def _reviewed(recount: Recount, body: Body) -> None:
    # The words of a review are the reviewer's own; that it is there, and of which trade, is compared.
    recount.review = _keyed({"trade_id": recount.trade["id"]}, body, "review_pk")


def _corrected(recount: Recount, body: Body) -> None:
    correction, named, trade = body["correction"], body["trade"], recount.trade
    keys = {fill["sequence"]: fill.get("id") for fill in recount.fills}
    left = correction["from_strategy"]
    row = {
        **{name: correction[name] for name in ("kind", "body", "reason", "author", "from_day")},
        "account_id": recount.account,
        "trade_id": trade["id"],
        "fill_id": None if correction["fill"] is None else keys[correction["fill"]],
        "from_strategy_id": None if left is None else recount.references.strategies.get(left),
        "recorded_at": body["recorded_at"],
    }
    recount.corrections.append(_keyed(row, body, "correction_pk"))
    trade |= {name: named[name] for name in ("trade_id", "trading_day")}
    trade["strategy_id"] = recount.references.strategy(named)
    if correction["kind"] == VOID and correction["fill"] is None:
        recount.is_void = True
        return
    _read_over(recount, correction)
    if "at" in correction["body"].get("now", {}):
        _move_key(recount, recount.standing[correction["fill"]], body.get("fill_key"))
    trade["opened_at"] = next(iter(recount.standing.values()))["at"]
    for realised in body["realisations"]:
        recount.standing[realised["fill"]] |= {"day": realised["day"], "realisation_pk": realised.get("pk")}
    if recount.folded()[0].open_quantity:  # open again, or still: what a close had said stays in the journal alone
        trade |= {"close_price": None, "exit_reason": "", "reported_pnl": None, "reported_pnl_percent": None}
    _risk(recount)


def _move_key(recount: Recount, fill: Body, journaled: Body | None) -> None:
    """Note the key that a fill got where its time was corrected to another trading day."""
    if fill["fill_id"] is None:
        return
    day = recount.references.day_of(fill["at"], recount.trade["instrument_id"])
    names = [(key["broker_fill_id"], key["day"]) for key in recount.keys]
    if journaled is not None or (fill["fill_id"], day) not in names:
        _add_key(recount, fill, journaled)


def _read_over(recount: Recount, correction: Body) -> None:
    """Read a correction over the fills that stand."""
    kind, body, fill = correction["kind"], correction["body"], correction["fill"]
    if kind == CONTRACT:
        recount.multiplier = units(body["now"].get("multiplier")) or recount.multiplier
    elif kind == VOID:
        del recount.standing[fill]
    elif kind == CHARGES:
        for sequence, charges in body["by_fill"].items():
            recount.standing[int(sequence)]["charges"] = units(charges)
    elif fill is not None:
        right = {name: text for name, text in body["now"].items() if name in (*MONEY, "at")}
        right |= {name: units(right[name]) for name in MONEY if name in right}
        recount.standing[fill] |= right


def _keyed(row: Body, body: Body, name: str) -> Body:
    return {**row, "id": body[name]} if name in body else row


OPERATIONS: dict[str, Callable[[Recount, Body], None]] = {
    "open_position": _opened,
    "add_fill": _filled,
    "close_position": _closed,
    "update_trailing_sl": _stopped,
    "apply_split": _split,
    "book_trade": _built,
    "review_trade": _reviewed,
    "amend": _corrected,
    "void": _corrected,
    "set_charges": _corrected,
    "correct_contract": _corrected,
}
