"""What brokers' statements say, as it is compared with the ledger: under VELOX's symbols, day by day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from timeseries.values import instant_text
from trading.brokers.stated import charge_statements
from trading.brokers.values import FillKind, FillLine, InstrumentName, Place, PositionLine, Remark, Statement
from trading.domain.charge_breaks import BrokerCharge
from trading.domain.compared import Comparison, Coverage, UncomparedPart, group_of
from trading.domain.fill_breaks import ComparedFill
from trading.domain.position_breaks import ComparedPosition, StatedResult
from trading.domain.stated_charges import ChargeSource
from trading.models import Exchange, Instrument
from trading.queries.instrument_names import NameMap, ResolvedNames, names_of
from trading.queries.instruments import exchange_of, shown_symbol
from trading.queries.period import date_in


@dataclass(slots=True)
class BrokerSide:
    """All that is compared. ``orders`` are sums of fills; ``left_out`` are lines that nothing can be compared with."""

    fills: list[ComparedFill] = field(default_factory=list)
    orders: list[ComparedFill] = field(default_factory=list)
    positions: list[ComparedPosition] = field(default_factory=list)
    results: list[StatedResult] = field(default_factory=list)
    charges: list[BrokerCharge] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)
    left_out: list[Remark] = field(default_factory=list)
    uncompared: list[UncomparedPart] = field(default_factory=list)

    def within(self, first: date | None, last: date | None) -> BrokerSide:
        """Return what lies wholly between two days, both inclusive."""
        begins, ends = first or date.min, last or date.max
        return BrokerSide(
            [fill for fill in self.fills if begins <= fill.day <= ends],
            [fill for fill in self.orders if begins <= fill.day <= ends],
            [row for row in self.positions if begins <= row.day <= ends],
            [row for row in self.results if begins <= row.day and row.last_day <= ends],
            [row for row in self.charges if begins <= row.day and row.last_day <= ends],
            [
                Coverage(max(each.first, begins), min(each.last, ends), each.groups)
                for each in self.coverage
                if each.first <= ends and each.last >= begins
            ],
            self.left_out,
            self.uncompared,
        )

    @property
    def days(self) -> tuple[date, date] | None:
        """Return the first and the last day that anything is told of."""
        days = [
            *(fill.day for fill in (*self.fills, *self.orders)),
            *(day for each in self.coverage for day in (each.first, each.last)),
            *(day for result in self.results for day in (result.day, result.last_day)),
            *(day for charge in self.charges for day in (charge.day, charge.last_day)),
            *(row.day for row in self.positions),
        ]
        return (min(days), max(days)) if days else None


def side_of_files(statements: Iterable[Statement], symbols: NameMap) -> BrokerSide:
    """Return what statements say; the same file twice counts once."""
    side, by_content = BrokerSide(), {each.sha256: each for each in statements}
    for statement in by_content.values():
        _StatementSide(statement, symbols, side).run()
    return side


class _StatementSide:
    """One statement on its way into a side."""

    def __init__(self, statement: Statement, symbols: NameMap, side: BrokerSide) -> None:
        self.statement, self.side = statement, side
        instruments = [line.instrument for line in statement.fills]
        instruments += [line.instrument for line in statement.positions]
        instruments += [line.instrument for line in statement.notes]
        self.names: ResolvedNames = names_of(instruments, symbols)
        self.zones = dict(Exchange.objects.values_list("code", "zone"))

    def run(self) -> None:
        """Take every line; what a reader could not read stays among what is left out."""
        statement, side = self.statement, self.side
        side.left_out += statement.rejected
        fills = list(self._fills())
        for line, fill in fills:
            (side.orders if line.kind is FillKind.ORDER else side.fills).append(fill)
        if not statement.fills:  # a note beside its own fills says nothing new
            side.orders += self._notes()
        if fills:
            days = [line.day for line, _ in fills]
            first, last = statement.first_day or min(days), statement.last_day or max(days)
            side.coverage.append(
                Coverage(min(first, *days), max(last, *days), frozenset(group_of(fill.exchange) for _, fill in fills))
            )
        for position in statement.positions:
            self._position(position)
        side.uncompared += self._uncompared()
        for source in (ChargeSource.NOTE, ChargeSource.FILE):
            side.charges += [
                BrokerCharge(
                    *(line.day, line.last_day, line.segment, line.head, line.amount, statement.sha256),
                    is_note=source is ChargeSource.NOTE,
                )
                for line in charge_statements(statement, source)
            ]

    def _uncompared(self) -> Iterator[UncomparedPart]:
        """Yield what the file tells that nothing can be compared with, with the reason."""
        statement = self.statement
        if statement.bills:
            reason = "VELOX keeps no balance of cash that a broker's postings could be compared with."
            yield UncomparedPart(Comparison.BILLS, reason, len(statement.bills))
        vague = [
            line
            for line in statement.charges
            if (line.instrument is not None and line.last_day != line.day)
            or (line.segment is None and not line.on_note)
        ]
        if vague:
            reason = "The file does not tell of which segment they are, or tells them by contract over several days."
            yield UncomparedPart(Comparison.CHARGES, reason, len(vague))
        if statement.is_empty:
            reason = "A file holds nothing, and so tells no exchange whose fills would have to be in it."
            yield UncomparedPart(Comparison.FILLS, reason)

    def _fills(self) -> Iterator[tuple[FillLine, ComparedFill]]:
        for line in self.statement.fills:
            symbol = self._symbol(line.instrument, line.place)
            if symbol is not None:
                zone = self.zones.get(exchange_of(symbol))
                yield (
                    line,
                    ComparedFill(
                        exchange=exchange_of(symbol),
                        # An evening may be of the file's next day.
                        day=line.day if line.at is None or zone is None else date_in(line.at, zone),
                        symbol=symbol,
                        side=line.side,
                        quantity=line.quantity,
                        price=line.price,
                        fill_id=line.fill_id,
                        order_id=line.order_id,
                        at="" if line.at is None else instant_text(line.at, "microseconds"),
                        file=self.statement.sha256,
                        file_name=self.statement.file,
                        row=line.place.row,
                        value=line.amount,
                        broker=self.statement.broker.value,
                        segment="" if line.segment is None else line.segment.value,
                        kind=line.kind.value,
                    ),
                )

    def _notes(self) -> Iterator[ComparedFill]:
        """Yield a note's trades as sums of the day: its prices may be averages."""
        for line in self.statement.notes:
            symbol = self._symbol(line.instrument, line.place)
            if symbol is not None:
                yield (
                    ComparedFill(
                        exchange=exchange_of(symbol),
                        day=line.day,
                        symbol=symbol,
                        side=line.side,
                        quantity=line.quantity,
                        price=line.price,
                        file=self.statement.sha256,
                        file_name=self.statement.file,
                        row=line.place.row,
                    )
                )

    def _position(self, line: PositionLine) -> None:
        symbol = self._symbol(line.instrument, line.place)
        if symbol is None:
            return
        if line.quantity is not None:
            row = ComparedPosition(symbol, line.last_day, line.quantity, line.average_price, self.statement.sha256)
            self.side.positions.append(row)
        if line.realised_pnl is not None:
            self.side.results.append(
                StatedResult(symbol, line.day, line.last_day, line.realised_pnl, self.statement.sha256)
            )

    def _symbol(self, name: InstrumentName, place: Place) -> str | None:
        symbol = self.names.resolve(name) or _listed(name)
        if symbol is None:
            words = " ".join(filter(None, (name.exchange, name.symbol, name.isin, name.company, name.code)))
            text = f"No instrument of VELOX is known as {words or 'nothing'}: name it with --symbols."
            self.side.left_out.append(Remark(place, "unknown_instrument", text))
        return symbol


def _listed(name: InstrumentName) -> str | None:
    """Return the one share or contract that the ledger has under a symbol which tells no exchange."""
    if name.symbol is None or name.exchange is not None:
        return None
    rows = list(Instrument.objects.filter(symbol=name.symbol).values_list("exchange__code", "symbol")[:2])
    return shown_symbol(*rows[0]) if len(rows) == 1 else None
