"""Trades with everything that is known of them, one flat row each: for files that other tools read.

Prices are averages to 8 decimals; ``buy_value`` and ``sell_value`` are price × quantity × multiplier of what was bought
and sold so far; ``net_pnl`` is the gross P&L less the charges, None while those are unknown; ``conditions`` are those
of the signals that led to the trade; ``charges_estimated`` is what the schedule of charges makes of it, None where the
account has no brokerage plan, and part of no other figure.

They are read, computed and handed over as blocks of columns, never as objects of the ORM, nor as rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa
from django.db.models import Exists, OuterRef, QuerySet
from numpy.typing import NDArray

from trading.domain import averages
from trading.domain.export import TYPES, ColumnKind, ExportBlock
from trading.domain.money import SCALE, to_units
from trading.domain.unit_columns import Truths, Units, decimal_column, divided_half_even, unit_columns
from trading.models import Account, Instrument, Strategy, Trade
from trading.progress import tell
from trading.queries.average_prices import from_fills, with_fractions
from trading.queries.charge_estimates import estimates_of
from trading.queries.columns import texts_of
from trading.queries.day_only import is_untimed
from trading.queries.excursions import FIELDS as EXCURSION
from trading.queries.export_parts import Picked, conditions_of, excursions_of, reviews_of
from trading.queries.instruments import shown_symbol
from trading.queries.reports import Selection
from trading.queries.results import BREAKEVEN, LOSS, WIN
from trading.queries.trade_columns import CODES, OLDEST_FIRST, UNITS, trades_in_order

HEADER = (
    "account", "currency", "trade_id", "strategy", "symbol", "side", "state", "result",
    "trading_day", "opened_at", "closed_at", "entry_quantity", "open_quantity", "entry_price",
    "stop_price", "target_price", "initial_risk", "gross_pnl", "charges", "r_multiple",
    "exit_reason", "reported_pnl", "flags",
    "review", "rating", "tags", "mistakes", "notes", "reviewed_by", "reviewed_at",
    *EXCURSION,
    "exit_quantity", "exit_price", "buy_value", "sell_value", "net_pnl", "conditions",
    "charges_estimated",
)  # fmt: skip
_PRICES = (
    "entry_price",
    "exit_price",
    "stop_price",
    "target_price",
    "mae_price",
    "mfe_price",
    "charges",
    "charges_estimated",
)
_VALUES = ("initial_risk", "gross_pnl", "net_pnl", "reported_pnl", "buy_value", "sell_value", "given_back")
KINDS = {
    **dict.fromkeys((*_PRICES, "entry_quantity", "exit_quantity", "open_quantity"), ColumnKind.AMOUNT),
    **dict.fromkeys((*_VALUES, "mae", "mfe", "r_multiple", "mae_r", "mfe_r"), ColumnKind.VALUE),
    **dict.fromkeys(("opened_at", "closed_at", "reviewed_at", "mae_at", "mfe_at"), ColumnKind.TIME),
    **dict.fromkeys(("rating", "ticks"), ColumnKind.COUNT),
    "trading_day": ColumnKind.DAY,
    "conditions": ColumnKind.OBJECT,
}
AMOUNT, VALUE = TYPES[ColumnKind.AMOUNT], TYPES[ColumnKind.VALUE]
DATED = ("opened_at", "closed_at")
_RESULTS = (LOSS, BREAKEVEN, WIN, Trade.State.OPEN.lower(), Trade.State.VOID.lower())


def exported(selection: Selection) -> QuerySet[Trade]:
    """Return the trades that were opened on the days chosen, void ones too, the oldest first."""
    if selection.first is None or selection.last is None:
        return Trade.objects.none()
    trades = Trade.objects.filter(**selection.cut.lookups()).order_by(*OLDEST_FIRST)
    of_strategy = trades.order_by().filter(strategy=OuterRef("pk"))  # an index has the days of each in their order
    before = Exists(of_strategy.filter(trading_day__lt=selection.first))
    after = Exists(of_strategy.filter(trading_day__gt=selection.last))
    if not Strategy.objects.filter(before | after).exists():  # then an index alone tells their order
        return trades
    return trades.filter(trading_day__gte=selection.first, trading_day__lte=selection.last)


def export_blocks(trades: QuerySet[Trade], account: Account | None = None) -> Iterator[ExportBlock]:
    """Yield the trades in their order as blocks of the columns of `HEADER`: of a number of trades that is always the
    same, so that a million take no more memory than some thousands. ``account``: all are of that one."""
    names, estimates, count = _Names.read(), estimates_of(trades), 0
    for table in trades_in_order(trades, account):
        yield _block(table, names, estimates)
        count += len(table)
        tell("trades", count)


def _block(table: pa.Table, names: _Names, estimates: Mapping[int, Decimal | None]) -> ExportBlock:
    whole = table.combine_chunks()
    columns = {name: whole[name].chunk(0) for name in whole.column_names}
    pks, accounts, strategies, traded = (columns[name].to_numpy() for name in CODES)
    sides, states, flags = (columns[name] for name in ("side", "state", "flags"))
    opened_at, closed_at = (columns[name].cast(TYPES[ColumnKind.TIME]) for name in DATED)
    amounts, is_there = unit_columns([columns[name] for name in UNITS])
    entered, held, entry_value, open_cost, pnl, stop, target, risk, charges, reported = amounts
    of_stop, of_target, of_risk, of_charges, of_reported = is_there[5:]
    every = np.ones(len(pks), dtype=bool)
    is_long, is_void = _is(sides, Trade.Side.LONG.__eq__), _is(states, Trade.State.VOID.__eq__)
    # Of a void trade nothing was taken out.
    left = np.where(is_void, 0, entered - held)
    has_left, released = (left != 0).astype(bool), entry_value - open_cost
    exit_value = np.where(has_left, np.where(is_long, released + pnl, released - pnl), 0)
    earned = pnl - charges  # those that are not known are 0
    prices = _prices(pks, sides, names.multipliers(traded), (entered, entry_value), (left, exit_value))
    has_risk = of_risk & (risk != 0).astype(bool)
    in_risks = _InRisks(np.where(has_risk, risk, 1), has_risk)
    picked = Picked(pks)
    flag_words = [" ".join(texts_of(words)) for words in flags.dictionary.to_pylist()]
    by_name = {
        "account": names.account(accounts),
        "currency": names.currency(accounts),
        "trade_id": columns["trade_id"],
        "strategy": names.strategy(strategies),
        "symbol": names.symbol(traded),
        "side": sides,
        "state": states,
        "result": _results(states, is_void, earned),
        "trading_day": columns["trading_day"],
        "opened_at": opened_at,
        "closed_at": closed_at,
        "entry_quantity": decimal_column(entered, every, AMOUNT),
        "open_quantity": decimal_column(held, every, AMOUNT),
        "entry_price": decimal_column(*prices[0], AMOUNT),
        "stop_price": decimal_column(stop, of_stop, AMOUNT),
        "target_price": decimal_column(target, of_target, AMOUNT),
        "initial_risk": decimal_column(risk, of_risk, VALUE),
        "gross_pnl": decimal_column(pnl, every, VALUE),
        "charges": decimal_column(charges, of_charges, AMOUNT),
        "r_multiple": in_risks.of(earned, closed_at.is_valid().to_numpy(zero_copy_only=False)),
        "exit_reason": columns["exit_reason"],
        "reported_pnl": decimal_column(reported, of_reported, VALUE),
        "flags": pa.DictionaryArray.from_arrays(flags.indices, pa.array(flag_words, pa.string())),
        **reviews_of(picked),
        **excursions_of(picked, pnl, in_risks.of),
        "exit_quantity": decimal_column(left, every, AMOUNT),
        "exit_price": decimal_column(*prices[1], AMOUNT),
        "buy_value": decimal_column(np.where(is_long, entry_value, exit_value), every, VALUE),
        "sell_value": decimal_column(np.where(is_long, exit_value, entry_value), every, VALUE),
        "net_pnl": decimal_column(earned, of_charges, VALUE),
        "conditions": conditions_of(picked),
        "charges_estimated": pa.array(map(estimates.get, pks.tolist()), AMOUNT)
        if estimates
        else pa.nulls(len(pks), AMOUNT),
    }
    return ExportBlock(by_name, KINDS, pa.array(_is(flags, is_untimed)), DATED)


@dataclass(frozen=True, slots=True)
class _InRisks:
    """The initial risk of each trade; where there is none it is 1 and ``is_known`` not."""

    risk: Units
    is_known: Truths

    def of(self, amounts: Units, is_asked: Truths) -> pa.Decimal128Array:
        """Return amounts in units of the risk, to two decimals half-even (`position.in_risks`)."""
        is_told = is_asked & self.is_known
        hundredths = divided_half_even(np.where(is_told, amounts, 0) * 100, self.risk)
        if max(int(hundredths.max()), -int(hundredths.min())) > 2**62 // 10**6:
            hundredths = hundredths.astype(object)
        return decimal_column(hundredths * 10**6, is_told, VALUE)


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of what trades refer to, by key."""

    accounts: dict[int, tuple[str, str]]  # code and currency
    strategies: dict[int, str]
    instruments: dict[int, tuple[str, int]]  # as callers know it, and its multiplier in units

    @classmethod
    def read(cls) -> _Names:
        return cls(
            {pk: (code, currency) for pk, code, currency in Account.objects.values_list("pk", "code", "currency")},
            dict(Strategy.objects.values_list("pk", "code")),
            {
                row.pk: (shown_symbol(row.exchange.code, row.symbol), to_units(row.multiplier))
                for row in Instrument.objects.select_related("exchange")
            },
        )

    def account(self, keys: NDArray[np.int64]) -> pa.DictionaryArray:
        return _looked_up(keys, lambda pk: self.accounts[pk][0])

    def currency(self, keys: NDArray[np.int64]) -> pa.DictionaryArray:
        return _looked_up(keys, lambda pk: self.accounts[pk][1])

    def strategy(self, keys: NDArray[np.int64]) -> pa.DictionaryArray:
        return _looked_up(keys, self.strategies.__getitem__)

    def symbol(self, keys: NDArray[np.int64]) -> pa.DictionaryArray:
        return _looked_up(keys, lambda pk: self.instruments[pk][0])

    def multipliers(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        coded = pa.array(keys).dictionary_encode()
        different = np.array([self.instruments[pk][1] for pk in coded.dictionary.to_pylist()], dtype=np.int64)
        multipliers: NDArray[np.int64] = different[coded.indices.to_numpy()]
        return multipliers


def _looked_up(keys: NDArray[np.int64], name_of: Callable[[int], str]) -> pa.DictionaryArray:
    coded = pa.array(keys).dictionary_encode()
    words = pa.array(map(name_of, coded.dictionary.to_pylist()), pa.string())
    return pa.DictionaryArray.from_arrays(coded.indices, words)


def _is(texts: pa.DictionaryArray, holds: Callable[[str], bool]) -> Truths:
    """Return of which texts something holds."""
    of_different = np.array([holds(text) for text in texts.dictionary.to_pylist()], dtype=bool)
    truths: Truths = of_different[texts.indices.to_numpy()]
    return truths


def _results(states: pa.DictionaryArray, is_void: Truths, earned: Units) -> pa.DictionaryArray:
    """Return each trade's result (`results.result_word`)."""
    signs = np.array(np.sign(earned), dtype=np.int32) + 1
    codes = np.where(is_void, 4, np.where(_is(states, Trade.State.OPEN.__eq__), 3, signs)).astype(np.int32)
    return pa.DictionaryArray.from_arrays(codes, pa.array(_RESULTS))


QuantitiesAndValues = tuple[Units, Units]  # quantities and their values


def _prices(
    pks: NDArray[np.int64],
    sides: pa.DictionaryArray,
    multipliers: NDArray[np.int64],
    entries: QuantitiesAndValues,
    exits: QuantitiesAndValues,
) -> list[tuple[Units, Truths]]:
    """Return the average prices of entry and exit, and where there is one.

    Those of whole fills are divided by columns; of others the sums or the fills tell (`domain.averages`).
    """
    answers = []
    wholes_of = np.where(multipliers % SCALE == 0, multipliers // SCALE, 0)
    is_small = (wholes_of > 0) & (wholes_of < 2**9)  # else the product might not fit
    small = np.where(is_small, wholes_of, 0)
    factors: Units = small.astype(object) if entries[0].dtype == object else small
    has_fractions = np.isin(pks, list(with_fractions(pks.tolist())))
    is_whole = is_small & ~has_fractions
    for quantities, sums in (entries, exits):
        lots = quantities * factors
        size = np.where(is_whole & (lots > 0).astype(bool), lots // SCALE, 1)
        answers.append((divided_half_even(sums, size), (quantities != 0).astype(bool)))
    rest = np.flatnonzero(~is_whole).tolist()
    unsure = [
        place
        for place in rest
        if not averages.sums_tell(int(multipliers[place]), has_fractions=bool(has_fractions[place]))
    ]
    exact = from_fills({int(pks[place]): sides[place].as_py() for place in unsure})
    for place in rest:
        by_fills = exact.get(int(pks[place]))
        for number, (quantities, sums) in enumerate((entries, exits)):
            quantity = int(quantities[place])
            price = averages.of_sums(int(sums[place]), quantity, int(multipliers[place]))
            if by_fills is not None:
                price = by_fills.entry if number == 0 else by_fills.exit if quantity else None
            answers[number][0][place] = 0 if price is None else to_units(price)
            answers[number][1][place] = price is not None
    return answers
