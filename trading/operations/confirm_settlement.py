"""Booking how a future or an option was settled, once a person confirms what a broker's file proposes.

A contract that expired worthless goes at 0, one that was settled in cash at its value. One that was settled in shares
goes for the shares: an option at 0, since its value is in the shares, which come or go at the strike; a future at its
final price, at which the shares come or go as well. So the sum of both trades is what was earned, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from timeseries.values import Number
from trading.bookkeeping import bounds, correcting, journal, references
from trading.bookkeeping.deciding import action_of, decide, is_decided
from trading.bookkeeping.kept_fills import write_rows
from trading.bookkeeping.splitting import follow
from trading.domain import money
from trading.domain.contract_symbols import contract_of
from trading.domain.flags import IMPORTED
from trading.domain.position import BUY, EXIT_SIDE, LONG, SELL
from trading.domain.trade_building import ACTION_KEY
from trading.errors import InvalidValue, UnknownTrade
from trading.models import BrokerFill, CorporateAction, Instrument, Trade
from trading.queries.imported_trades import FillGroup
from trading.queries.instruments import find_instrument, plain_name
from trading.transactions import together

Kind = BrokerFill.Kind


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a contract was settled: at ``price``, and for ``shares`` at ``share_price`` where it was settled in them."""

    action: CorporateAction
    contract: Instrument
    day: date
    price: Decimal
    shares: Instrument | None = None
    share_price: Decimal = Decimal(0)

    @property
    def terms(self) -> str:
        """The settlement as it is kept and shown."""
        symbol = plain_name(f"{self.contract.exchange.code}:{self.contract.symbol}")
        if self.shares is not None:
            shares = plain_name(f"{self.shares.exchange.code}:{self.shares.symbol}")
            return f"{symbol} delivered in {shares} at {self.share_price:f} on {self.day}"
        how = f"settled at {self.price:f}" if self.price else "expired worthless"
        return f"{symbol} {how} on {self.day}"


def confirm_settlement(
    action_pk: int,
    *,
    by: str,
    reason: str,
    price: Number | None = None,
    shares: str | None = None,
    day: date | None = None,
    symbol: str | None = None,
) -> str:
    """Close what imported fills hold of a contract as it was settled, and return the terms in words.

    ``price`` is the value of one unit (0: worthless), of a future that was settled in shares its final price;
    ``shares`` names what was delivered, for an option at its strike, without a price. ``day`` and ``symbol`` are the
    action's unless given. All of the contract is closed, or as much as the file tells. The same again changes nothing.

    Raises: InvalidValue where a term is not known or does not fit; UnknownTrade where nothing of it is open;
        IdConflict where something else was decided; LedgerBusy, LedgerNotReady.
    """
    by, reason = correcting.author(by), correcting.why(reason)
    paid = None if price is None else money.parse_price(price, "price")
    with together():
        action = action_of(action_pk)
        settlement = _terms(action, paid, shares, day or action.day, symbol or action.symbol)
        if is_decided(action, settlement.terms):
            return settlement.terms
        now = datetime.now(UTC)
        trades = _held(settlement)
        rows = [row for trade in trades for row in _rows_of(trade, settlement, now)]
        _, head = journal.lock_account(action.account.code)
        write_rows(action.account, rows, head, by=by)
        for row in rows:
            follow(FillGroup(action.account, row.instrument, row.strategy), settlement.day, by=by)
        for trade in trades:
            trade.refresh_from_db()
            if trade.state != Trade.State.CLOSED:
                raise InvalidValue(
                    f"Trade {trade.trade_id} would not be closed by it: {trade.open_quantity:f} stay open.",
                    field="day",
                    hint="Give the day on which it was settled, after its last fill.",
                )
        decide(action, settlement.terms, by=by, reason=reason, now=now, since=settlement.day)
    return settlement.terms


def _terms(action: CorporateAction, price: Decimal | None, shares: str | None, day: date, symbol: str) -> Settlement:
    """Return how the contract was settled. Raises: InvalidValue where that is not told, or cannot be."""
    if action.kind != CorporateAction.Kind.SETTLEMENT:
        raise InvalidValue(f"Action {action.pk} is of kind {action.kind}, and no settlement.", field="action")
    contract = find_instrument(symbol) if symbol else None
    if contract is None:
        raise InvalidValue(
            f"Which contract action {action.pk} is of is not known.", field="symbol", hint="Give it with --symbol."
        )
    if shares is None:
        if price is None:
            raise InvalidValue(
                "At what it was settled is not told.", field="price", hint="Give --price; 0 where it was worthless."
            )
        bounds.must_be_price(price, contract, "price", can_be_zero=True)
        return Settlement(action, contract, day, price)
    named = references.instrument_of(plain_name(shares), action.account)
    references.must_be_tradable(named)
    references.must_be_in_currency(named, action.account)
    proven = contract_of(contract.symbol)
    strike = contract.strike or (None if proven is None else proven.strike)
    underlying = contract.underlying or ("" if proven is None else proven.underlying)
    if named.kind != Instrument.Kind.EQUITY or underlying not in ("", named.symbol):
        raise InvalidValue(
            f"{contract.symbol} is not settled in {named.symbol}.", field="shares", hint=f"Its shares are {underlying}."
        )
    if contract.kind == Instrument.Kind.FUTURE:
        if price is None or price <= 0:
            raise InvalidValue("The future's final price is not told.", field="price", hint="Give --price.")
        return Settlement(action, contract, day, price, named, price)
    if price:
        raise InvalidValue(
            f"price is {price:f}: an option's value goes over into its shares.",
            field="price",
            hint="Give none: the shares are booked at the strike.",
        )
    if not strike or contract.symbol[-2:] not in ("CE", "PE"):
        raise InvalidValue(
            f"{contract.symbol} does not tell its strike and right.",
            field="shares",
            hint="Give --price 0 for the option, and book the shares with the broker's own line.",
        )
    return Settlement(action, contract, day, Decimal(0), named, strike)


def _held(settlement: Settlement) -> Sequence[Trade]:
    """Return the open trades that are closed by it. Raises: UnknownTrade, InvalidValue."""
    account, contract = settlement.action.account, settlement.contract
    trades = Trade.objects.filter(account=account, instrument=contract, state=Trade.State.OPEN)
    held = list(trades.select_related("strategy").order_by("opened_at", "pk"))
    if not held:
        raise UnknownTrade(
            f"Account {account.code} has nothing open of {contract.symbol}.",
            field="action",
            hint="Dismiss the action, or import the fills that opened it.",
        )
    by_hand = [trade for trade in held if IMPORTED not in trade.flags]
    if by_hand:
        raise InvalidValue(
            f"Trade {by_hand[0].trade_id} was booked by a strategy.",
            field="action",
            hint="Close it with close_position and the reason expired or settled.",
        )
    total = sum((trade.open_quantity if trade.side == LONG else -trade.open_quantity for trade in held), Decimal(0))
    quantity = settlement.action.quantity
    if quantity is not None and abs(quantity) != abs(total):
        raise InvalidValue(
            f"The file settles {abs(quantity):f}, the ledger has {abs(total):f} open.",
            field="action",
            hint="Import the fills that are missing first.",
        )
    return held


def _rows_of(trade: Trade, settlement: Settlement, now: datetime) -> list[BrokerFill]:
    """Return the fill that closes a trade, and that of the shares where it was settled in them."""
    action, contract, shares = settlement.action, settlement.contract, settlement.shares
    worthless = Kind.EXPIRY if not settlement.price else Kind.EXERCISE
    closing = BrokerFill(
        account=action.account,
        file=action.file,
        exchange=contract.exchange,
        instrument=contract,
        strategy=trade.strategy,
        day=settlement.day,
        broker_fill_id=f"{ACTION_KEY}-{action.pk}-{trade.pk}",
        kind=worthless if shares is None else Kind.DELIVERY,
        side=EXIT_SIDE[trade.side],
        quantity=trade.open_quantity,
        price=settlement.price,
        recorded_at=now,
    )
    if shares is None:
        return [closing]
    # A call or a future that was held brings shares, a put takes them; one that was written the other way round.
    brings = (trade.side == LONG) != (contract.symbol[-2:] == "PE" and contract.kind == Instrument.Kind.OPTION)
    delivered = BrokerFill(
        account=action.account,
        file=action.file,
        exchange=shares.exchange,
        instrument=shares,
        strategy=trade.strategy,
        day=settlement.day,
        broker_fill_id=f"{ACTION_KEY}-{action.pk}-{trade.pk}",
        kind=Kind.DELIVERY,
        side=BUY if brings else SELL,
        quantity=trade.open_quantity * contract.multiplier,
        price=settlement.share_price,
        is_cash=True,
        recorded_at=now,
    )
    return [closing, delivered]
