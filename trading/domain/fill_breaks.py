"""The fills that the ledger and a broker's files have, compared one by one. Pure.

Fills are the same where exchange, trading day and the broker's id are; where a side has no id, where symbol, side,
quantity and price are, each as often as it occurs. Quantity and price of the same fill may not differ at all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from trading.domain.breaks import Break, BreakKind, Figures, Proposal, Remedy, plain

FillContent = tuple[str, date, str, str, Decimal, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFill:
    """One fill as one side has it; ``symbol`` as VELOX shows it, ``at`` an instant as text, "" where only the day is
    told.

    ``fill_id`` is the broker's, None where that side has none. ``trade_id`` and ``sequence`` name the ledger's row,
    ``file`` and ``row`` the broker's. ``value`` is quantity times price where the side states that and no price.
    ``is_merged``: the fill stands in several rows, since it turned a position, and only the first is named.
    """

    exchange: str
    day: date
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    fill_id: str | None = None
    order_id: str | None = None
    at: str = ""
    trade_id: str = ""
    strategy_id: str = ""
    sequence: int = 0
    file: str = ""
    row: int = 0
    value: Decimal | None = None
    is_merged: bool = False

    @property
    def content(self) -> FillContent:
        """Return what makes fills without an id the same."""
        return (self.exchange, self.day, self.symbol, self.side, self.quantity.normalize(), self.price.normalize())

    @property
    def figures(self) -> Figures:
        """Return the fill as a break tells it."""
        own = {"trade_id": self.trade_id, "sequence": str(self.sequence)} if self.trade_id else {}
        place = {"file": self.file, "row": str(self.row)} if self.file else {}
        numbers = {"side": self.side, "quantity": plain(self.quantity), "price": plain(self.price)}
        return {"symbol": self.symbol, **numbers, "at": self.at or None, "fill_id": self.fill_id, **own, **place}

    @property
    def words(self) -> str:
        """Return the fill in a sentence."""
        return f"{self.side} {plain(self.quantity)} {self.symbol} at {plain(self.price)}"


def fill_breaks(ledger: Iterable[ComparedFill], broker: Iterable[ComparedFill]) -> list[Break]:
    """Return what differs between the fills of both sides, each difference once.

    The broker's may be of several files that overlap: the same id counts once, and of fills without ids each file
    tells how many equal ones there are.
    """
    comparison = _Comparison(sorted(ledger, key=_rank), _once(broker))
    comparison.by_id()
    comparison.pair(_same, comparison.same_content)
    for is_near in (_same_order, _same_quantity, _same_price):
        comparison.pair(is_near, comparison.differing)
    return comparison.rest()


def merged_rows(rows: Iterable[ComparedFill]) -> list[ComparedFill]:
    """Return fills of which the rows that have one id, side and price are one: a fill that turned a position."""
    fills: list[ComparedFill] = []
    places: dict[tuple[str, tuple[str, date, str, str], Decimal], int] = {}
    for row in rows:
        key = (row.fill_id or "", _group(row), row.price)
        if row.fill_id is None or key not in places:
            places[key] = len(fills)
            fills.append(row)
            continue
        first = fills[places[key]]
        fills[places[key]] = replace(first, quantity=first.quantity + row.quantity, is_merged=True)
    return fills


def _rank(fill: ComparedFill) -> tuple[date, str, str, str, int, str, int]:
    return fill.day, fill.symbol, fill.fill_id or "", fill.trade_id, fill.sequence, fill.file, fill.row


def _once(fills: Iterable[ComparedFill]) -> list[ComparedFill]:
    """Return the broker's fills without what overlapping files repeat; lines that contradict each other all stay."""
    kept: list[ComparedFill] = []
    seen: set[tuple[str | None, FillContent]] = set()
    counts: Counter[FillContent] = Counter()
    by_file: defaultdict[str, Counter[FillContent]] = defaultdict(Counter)
    for fill in sorted(fills, key=_rank):
        if fill.fill_id is not None:
            if (fill.fill_id, fill.content) not in seen:
                kept.append(fill)
            seen.add((fill.fill_id, fill.content))
            continue
        by_file[fill.file][fill.content] += 1
        if by_file[fill.file][fill.content] > counts[fill.content]:
            counts[fill.content] += 1
            kept.append(fill)
    return kept


def _group(fill: ComparedFill) -> tuple[str, date, str, str]:
    return fill.exchange, fill.day, fill.symbol, fill.side


def _same(ours: ComparedFill, theirs: ComparedFill) -> bool:
    return ours.content == theirs.content


def _same_order(ours: ComparedFill, theirs: ComparedFill) -> bool:
    return ours.order_id is not None and ours.order_id == theirs.order_id and _lacks_id(ours, theirs)


def _same_quantity(ours: ComparedFill, theirs: ComparedFill) -> bool:
    return ours.quantity == theirs.quantity and _lacks_id(ours, theirs)


def _same_price(ours: ComparedFill, theirs: ComparedFill) -> bool:
    return ours.price == theirs.price and _lacks_id(ours, theirs)


def _lacks_id(ours: ComparedFill, theirs: ComparedFill) -> bool:
    """Tell whether no two ids say that these are two fills."""
    return ours.fill_id is None or theirs.fill_id is None


class _Comparison:
    """Two sides on their way: what is not paired yet, and what differs so far."""

    def __init__(self, ours: Sequence[ComparedFill], theirs: Sequence[ComparedFill]) -> None:
        self.ours, self.theirs = list(ours), list(theirs)
        self.breaks: list[Break] = []
        self.paired: set[FillContent] = set()  # contents of the ledger's fills that the broker has
        self.keys: Counter[tuple[str, ...]] = Counter()

    def by_id(self) -> None:
        """Pair what has one id on both sides; a ledger's fill in two rows, where it turned a position, is one."""
        rows: defaultdict[tuple[str, date, str], list[ComparedFill]] = defaultdict(list)
        lines: defaultdict[tuple[str, date, str], list[ComparedFill]] = defaultdict(list)
        for fills, by_name in ((self.ours, rows), (self.theirs, lines)):
            for fill in fills:
                if fill.fill_id is not None:
                    by_name[fill.exchange, fill.day, fill.fill_id].append(fill)
        settled: set[ComparedFill] = set()
        for name, own in lines.items():
            if len(own) > 1:
                self._add(BreakKind.BROKER_CONTRADICTS, own[0], rows[name][0] if rows[name] else None, own[0])
            elif rows[name]:
                self._same_id(rows[name], own[0])
            if len(own) > 1 or rows[name]:
                settled.update(own, rows[name])
        self.ours = merged_rows(fill for fill in self.ours if fill not in settled)
        self.theirs = [fill for fill in self.theirs if fill not in settled]

    def _same_id(self, rows: Sequence[ComparedFill], line: ComparedFill) -> None:
        self.paired |= {line.content} | {row.content for row in rows}
        terms = {(row.symbol, row.side, row.price) for row in rows}
        if terms == {(line.symbol, line.side, line.price)} and sum(row.quantity for row in rows) == line.quantity:
            return
        equal = next((row for row in rows if row.content == line.content), None)
        if equal is None:
            self._add(BreakKind.FILL_DIFFERS, line, rows[0], line, is_in_rows=len(rows) > 1)
            return
        for row in rows:
            if row is not equal:
                self._add(BreakKind.FILL_TWICE, row, row, line)

    def pair(
        self,
        is_pair: Callable[[ComparedFill, ComparedFill], bool],
        take: Callable[[ComparedFill, ComparedFill], None],
    ) -> None:
        """Take fills of one group that are a pair off both sides, those without two ids first."""
        waiting: defaultdict[tuple[str, date, str, str], list[ComparedFill]] = defaultdict(list)
        for fill in self.theirs:
            waiting[_group(fill)].append(fill)
        rest = []
        for ours in sorted(self.ours, key=lambda fill: fill.fill_id is not None):
            others = waiting[_group(ours)]
            pairs = [theirs for theirs in others if is_pair(ours, theirs)]
            if not pairs:
                rest.append(ours)
                continue
            theirs = min(pairs, key=lambda fill: not _lacks_id(ours, fill))
            others.remove(theirs)
            take(ours, theirs)
        self.ours = rest
        self.theirs = [fill for others in waiting.values() for fill in others]

    def same_content(self, ours: ComparedFill, theirs: ComparedFill) -> None:
        """Take a pair of the same fill; under two ids it would be booked twice by an import."""
        self.paired.add(ours.content)
        if not _lacks_id(ours, theirs):
            self._add(BreakKind.FILL_ID_DIFFERS, theirs, ours, theirs)

    def differing(self, ours: ComparedFill, theirs: ComparedFill) -> None:
        """Take a pair that is one fill with another price or quantity."""
        self._add(BreakKind.FILL_DIFFERS, ours, ours, theirs, is_in_rows=ours.is_merged)

    def rest(self) -> list[Break]:
        """Return all breaks, with those of fills that only one side has."""
        for fill in self.ours:
            is_twice = fill.content in self.paired
            kind = BreakKind.FILL_TWICE if is_twice else BreakKind.FILL_NOT_AT_BROKER
            self._add(kind, fill, fill, None)
        for fill in self.theirs:
            self._add(BreakKind.FILL_NOT_IN_LEDGER, fill, None, fill)
        return self.breaks

    def _add(
        self,
        kind: BreakKind,
        named: ComparedFill,
        ours: ComparedFill | None,
        theirs: ComparedFill | None,
        *,
        is_in_rows: bool = False,
    ) -> None:
        key = {"day": named.day.isoformat(), "exchange": named.exchange, "symbol": named.symbol, **_name(named)}
        if ours is not None and kind in (BreakKind.FILL_TWICE, BreakKind.FILL_NOT_AT_BROKER):
            key |= {"trade_id": ours.trade_id, "sequence": str(ours.sequence)}
        name = (kind.value, *(f"{word}={text}" for word, text in sorted(key.items())))
        self.keys[name] += 1
        if self.keys[name] > 1:  # of fills that nothing tells apart
            key["occurrence"] = str(self.keys[name])
        self.breaks.append(
            Break(
                kind,
                key,
                named.day,
                ledger=None if ours is None else ours.figures,
                broker=None if theirs is None else theirs.figures,
                proposal=_proposal(kind, ours, theirs) if not is_in_rows else _in_rows(ours, theirs),
                scope=frozenset(fill.symbol for fill in (ours, theirs) if fill is not None),
            )
        )


def _name(fill: ComparedFill) -> dict[str, str]:
    """Return what names a fill on its day: its id, or else its content."""
    if fill.fill_id is not None:
        return {"fill_id": fill.fill_id}
    return {"side": fill.side, "quantity": plain(fill.quantity) or "", "price": plain(fill.price) or ""}


def _in_rows(ours: ComparedFill | None, theirs: ComparedFill | None) -> Proposal:
    """Return what is to be done about a fill that turned a position: it stands in two rows of the ledger."""
    words, trade_id = theirs.words if theirs else "nothing", ours.trade_id if ours else ""
    text = f"Look at trade {trade_id}: the broker has {words}, and its rows in the ledger do not add up to it."
    return Proposal(Remedy.LOOK, text, {"trade_id": trade_id})


def _proposal(kind: BreakKind, ours: ComparedFill | None, theirs: ComparedFill | None) -> Proposal:
    """Return what would put a fill right."""
    row = {} if ours is None else {"trade_id": ours.trade_id, "sequence": str(ours.sequence), "day": str(ours.day)}
    where = "" if ours is None else f"fill {ours.sequence} of trade {ours.trade_id}"
    if kind is BreakKind.FILL_NOT_IN_LEDGER and theirs is not None:
        names = ("symbol", "side", "quantity", "price", "at", "fill_id")
        arguments = {name: theirs.figures[name] for name in names} | {"order_id": theirs.order_id}
        return Proposal(Remedy.BOOK_FILL, f"Book {theirs.words}: the ledger does not have it.", arguments)
    if kind is BreakKind.FILL_TWICE and ours is not None:
        return Proposal(Remedy.VOID_FILL, f"Void {where}, {ours.words}: the broker has it fewer times.", row)
    if kind is BreakKind.FILL_NOT_AT_BROKER and ours is not None:
        return Proposal(Remedy.VOID_FILL, f"Void {where}, {ours.words}, if it never was: no file has it.", row)
    if kind is BreakKind.FILL_DIFFERS and ours is not None and theirs is not None:
        return _amendment(ours, theirs, where, row)
    if kind is BreakKind.FILL_ID_DIFFERS and ours is not None and theirs is not None:
        text = f"Look at {where}: it has the id {ours.fill_id}, and the broker calls it {theirs.fill_id}."
        return Proposal(Remedy.LOOK, text, row)
    return Proposal(Remedy.LOOK, "Ask the broker: two of its lines have one id and differ.", row)


def _amendment(ours: ComparedFill, theirs: ComparedFill, where: str, row: Figures) -> Proposal:
    if (ours.symbol, ours.side) != (theirs.symbol, theirs.side):
        text = f"Look at {where}: it is {ours.words}, and the broker has {theirs.words}. Void it and book the other."
        return Proposal(Remedy.LOOK, text, row)
    changes = {}
    for name, own, right in (("price", ours.price, theirs.price), ("quantity", ours.quantity, theirs.quantity)):
        if own != right:
            changes[name] = plain(right)
    words = " and ".join(f"{name} to {right}" for name, right in changes.items())
    return Proposal(Remedy.AMEND_FILL, f"Amend {where}, {ours.words}: {words}.", {**row, **changes})
