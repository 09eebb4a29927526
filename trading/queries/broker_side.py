"""What brokers' statements say, as it is compared with the ledger: under VELOX's symbols, day by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from timeseries.values import instant_text
from trading.brokers.stated import charge_statements
from trading.brokers.values import FillKind, FillLine, InstrumentName, Place, PositionLine, Remark, Statement
from trading.domain.charge_breaks import BrokerCharge
from trading.domain.fill_breaks import ComparedFill
from trading.domain.position_breaks import ComparedPosition, StatedResult
from trading.domain.stated_charges import ChargeSource
from trading.models import Account, BrokerFile, BrokerFill, Instrument
from trading.queries.instrument_names import NameMap, ResolvedNames, names_of
from trading.queries.instruments import shown_symbol, split_symbol
from trading.queries.ledger_side import OF_ACTIONS, broker_id

# A file tells of one of these groups of exchanges, or of several: of the others it says nothing.
_GROUPS = (("NSE", "BSE"), ("NFO", "BFO"), ("CDS", "BCD"), ("MCX", "NCO"))
_ELSEWHERE = ""
_SHARES = ("NSE", "BSE")


def group_of(exchange: str) -> str:
    """Return the group of an exchange, "" for all those outside India together."""
    return next((group[0] for group in _GROUPS if exchange in group), _ELSEWHERE)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a file tells the whole of: days, both inclusive, and groups of exchanges."""

    first: date
    last: date
    groups: frozenset[str]

    def has(self, fill: ComparedFill) -> bool:
        """Tell whether a fill would stand in the file."""
        return self.first <= fill.day <= self.last and group_of(fill.exchange) in self.groups


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
    names = Counter(each.file for each in by_content.values())
    for statement in by_content.values():
        # Files are told apart by their names from here on.
        name = statement.file if names[statement.file] == 1 else f"{statement.file} ({statement.sha256[:8]})"
        _StatementSide(replace(statement, file=name), symbols, side).run()
    return side


class _StatementSide:
    """One statement on its way into a side."""

    def __init__(self, statement: Statement, symbols: NameMap, side: BrokerSide) -> None:
        self.statement, self.side = statement, side
        instruments = [line.instrument for line in statement.fills]
        instruments += [line.instrument for line in statement.positions]
        instruments += [line.instrument for line in statement.notes]
        self.names: ResolvedNames = names_of(instruments, symbols)

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
            days = [fill.day for _, fill in fills]
            first, last = statement.first_day or min(days), statement.last_day or max(days)
            side.coverage.append(
                Coverage(min(first, *days), max(last, *days), frozenset(group_of(fill.exchange) for _, fill in fills))
            )
        for position in statement.positions:
            self._position(position)
        for source in (ChargeSource.NOTE, ChargeSource.FILE):
            side.charges += [
                BrokerCharge(
                    *(line.day, line.last_day, line.segment, line.head, line.amount, statement.sha256),
                    is_note=source is ChargeSource.NOTE,
                )
                for line in charge_statements(statement, source)
            ]

    def _fills(self) -> Iterator[tuple[FillLine, ComparedFill]]:
        for line in self.statement.fills:
            symbol = self._symbol(line.instrument, line.place)
            if symbol is not None:
                yield (
                    line,
                    ComparedFill(
                        exchange=split_symbol(symbol)[0],
                        day=line.day,
                        symbol=symbol,
                        side=line.side,
                        quantity=line.quantity,
                        price=line.price,
                        fill_id=line.fill_id,
                        order_id=line.order_id,
                        at="" if line.at is None else instant_text(line.at, "microseconds"),
                        file=self.statement.file,
                        row=line.place.row,
                        value=line.amount,
                    ),
                )

    def _notes(self) -> Iterator[ComparedFill]:
        """Yield a note's trades as sums of the day: its prices may be averages."""
        for line in self.statement.notes:
            symbol = self._symbol(line.instrument, line.place)
            if symbol is not None:
                yield (
                    ComparedFill(
                        exchange=split_symbol(symbol)[0],
                        day=line.day,
                        symbol=symbol,
                        side=line.side,
                        quantity=line.quantity,
                        price=line.price,
                        file=self.statement.file,
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


def side_of_imports(account: Account, first: date | None, last: date | None) -> BrokerSide:
    """Return the fills that were imported of some days, both inclusive, as the broker told them."""
    rows = BrokerFill.objects.filter(account=account, day__range=(first or date.min, last or date.max))
    rows = rows.exclude(broker_fill_id__startswith=OF_ACTIONS)
    rows = rows.select_related("exchange", "instrument", "file").order_by("day", "pk")
    side = BrokerSide()
    groups: dict[int, set[str]] = {}
    for row in rows:
        fill = ComparedFill(
            exchange=row.exchange.code,
            day=row.day,
            symbol=shown_symbol(row.exchange.code, row.instrument.symbol),
            side=row.side,
            quantity=row.quantity,
            price=row.price,
            fill_id=broker_id(row.broker_fill_id),
            order_id=row.order_id,
            at="" if row.at is None else instant_text(row.at, "microseconds"),
        )
        (side.orders if row.kind == BrokerFill.Kind.ORDER else side.fills).append(fill)
        groups.setdefault(row.file_id, set()).add(group_of(fill.exchange))
    files = BrokerFile.objects.in_bulk(groups)
    side.coverage = list(_coverage(side, [(files[pk], each) for pk, each in groups.items()]))
    return side.within(first, last)


def _coverage(side: BrokerSide, files: Sequence[tuple[BrokerFile, set[str]]]) -> Iterator[Coverage]:
    days = [fill.day for fill in (*side.fills, *side.orders)]
    for file, groups in files:
        first, last = file.first_day or min(days), file.last_day or max(days)
        yield Coverage(first, last, frozenset(groups))
