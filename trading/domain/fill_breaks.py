"""The fills that the ledger and a broker's files have, compared one by one. Pure.

Fills are the same where exchange, trading day and the broker's id are; where a side has no id, where symbol, side,
quantity and price are, each as often as it occurs. An order that the ledger has as a whole is the fills that make it
up. Quantity and price of the same fill may not differ at all, nor its day: a fill that a correction moved to another
day is known by the day that was recorded.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from trading.domain.breaks import Break, BreakKind, Figures, Proposal, Remedy, plain, printed_to

FillContent = tuple[str, date, str, str, Decimal, Decimal]
FillPlace = tuple[str, date, str, str]
FillRow = tuple[str, str, int]  # of the ledger: trade, strategy, sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFill:
    """One fill as one side has it; ``symbol`` as VELOX shows it, ``at`` an instant as text, "" where only the day is
    told.

    ``broker``, ``segment`` and ``kind`` are those that a file tells. ``fill_id`` is the broker's, None where that side
    has none; ``is_of_row``: the ledger has it of a row of a file that tells no ids. ``trade_id`` and ``sequence`` name
    the ledger's row; ``file`` is the SHA-256 of the broker's, ``file_name`` and ``row`` name its line. ``value`` is
    quantity times price where the side states that and no price. ``recorded_day`` is the day that was recorded where a
    correction has moved the fill to another. ``other_rows`` are trade, strategy and sequence of the ledger's other rows
    of a fill that turned a position.
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
    file_name: str = ""
    row: int = 0
    value: Decimal | None = None
    broker: str = ""
    segment: str = ""
    kind: str = ""
    recorded_day: date | None = None
    other_rows: tuple[FillRow, ...] = ()
    is_of_row: bool = False

    @property
    def content(self) -> FillContent:
        """Return what makes fills without an id the same."""
        return self.exchange, self.day, self.symbol, self.side, self.quantity.normalize(), self.price.normalize()

    @property
    def figures(self) -> Figures:
        """Return the fill as a break tells it."""
        own = {"trade_id": self.trade_id, "sequence": str(self.sequence)} if self.trade_id else {}
        place = {"file": self.file_name, "row": str(self.row)} if self.file_name else {}
        numbers = {"side": self.side, "quantity": plain(self.quantity), "price": plain(self.price)}
        when = {"day": self.day.isoformat(), "at": self.at or None}
        return {"symbol": self.symbol, **numbers, **when, "fill_id": self.fill_id, **own, **place}

    @property
    def words(self) -> str:
        """Return the fill in a sentence."""
        return f"{self.side} {plain(self.quantity)} {self.symbol} at {plain(self.price)}"


def fill_breaks(
    ledger: Iterable[ComparedFill], broker: Iterable[ComparedFill], moved: Iterable[ComparedFill] = ()
) -> list[Break]:
    """Return what differs between the fills of both sides, each difference once.

    The broker's may be of several files that overlap: the same id counts once, and of fills without ids each file
    tells how many equal ones there are. ``moved`` are fills of the ledger that a correction moved to days which are
    not compared: they can only stand for what would be missing.
    """
    comparison = _Comparison(sorted(ledger, key=_rank), _once(broker))
    comparison.by_id()
    comparison.by_order()
    comparison.pair(lambda fill: fill.content, comparison.same_content, by_ids_too=True)
    comparison.bring_back(moved)
    for near in (_order, _quantity, _price):
        comparison.pair(near, comparison.differing)
    return comparison.rest()


def merged_rows(rows: Iterable[ComparedFill]) -> list[ComparedFill]:
    """Return fills of which the rows that have one id, side and price are one: a fill that turned a position."""
    fills: list[ComparedFill] = []
    places: dict[tuple[str, FillPlace, Decimal], int] = {}
    for row in rows:
        key = (row.fill_id or "", _group(row), row.price)
        if row.fill_id is None or key not in places:
            places[key] = len(fills)
            fills.append(row)
            continue
        first = fills[places[key]]
        others = (*first.other_rows, (row.trade_id, row.strategy_id, row.sequence))
        fills[places[key]] = replace(first, quantity=first.quantity + row.quantity, other_rows=others)
    return fills


def name_of(fill: ComparedFill) -> dict[str, str]:
    """Return what names a fill: its day, where it was traded, and its id, or else its content."""
    place = {"day": fill.day.isoformat(), "exchange": fill.exchange, "symbol": fill.symbol}
    if fill.fill_id is not None:
        return {**place, "fill_id": fill.fill_id}
    return {**place, "side": fill.side, "quantity": plain(fill.quantity) or "", "price": plain(fill.price) or ""}


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


def _group(fill: ComparedFill) -> FillPlace:
    return fill.exchange, fill.day, fill.symbol, fill.side


def _order(fill: ComparedFill) -> Hashable:
    return None if fill.order_id is None else (_group(fill), fill.order_id)


def _quantity(fill: ComparedFill) -> Hashable:
    return _group(fill), fill.quantity


def _price(fill: ComparedFill) -> Hashable:
    return _group(fill), fill.price


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

    def by_order(self) -> None:
        """Pair an order that the ledger has without ids of its fills with the fills that together are the same."""
        orders: defaultdict[Hashable, tuple[list[ComparedFill], list[ComparedFill]]] = defaultdict(lambda: ([], []))
        for fill in self.ours:
            if fill.order_id is not None and fill.fill_id is None:
                orders[_order(fill)][0].append(fill)
        for fill in self.theirs:
            if fill.order_id is not None:
                orders[_order(fill)][1].append(fill)
        settled: set[ComparedFill] = set()
        for rows, lines in orders.values():
            if rows and _is_sum_of(rows, lines):
                self.paired |= {fill.content for fill in (*rows, *lines)}
                settled.update(rows, lines)
        self.ours = [fill for fill in self.ours if fill not in settled]
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
        key_of: Callable[[ComparedFill], Hashable],
        take: Callable[[ComparedFill, ComparedFill], None],
        *,
        by_ids_too: bool = False,
    ) -> None:
        """Take fills of one key off both sides, those without two ids first; two ids are a pair ``by_ids_too`` alone.

        Of those without an id, what came of a file's row goes before what a strategy or a person said beside it. A key
        of None is nobody's.
        """
        waiting: defaultdict[Hashable, tuple[deque[int], deque[int]]] = defaultdict(lambda: (deque(), deque()))
        for place, fill in enumerate(self.theirs):
            waiting[key_of(fill)][fill.fill_id is None].append(place)
        taken: set[int] = set()
        rest = []
        for ours in sorted(self.ours, key=lambda fill: (fill.fill_id is not None, not fill.is_of_row)):
            key = key_of(ours)
            named, nameless = waiting[key] if key is not None else (deque[int](), deque[int]())
            others = named if by_ids_too else deque[int]()
            places = (named or nameless) if ours.fill_id is None else (nameless or others)
            if not places:
                rest.append(ours)
                continue
            place = places.popleft()
            taken.add(place)
            take(ours, self.theirs[place])
        self.ours = rest
        self.theirs = [fill for place, fill in enumerate(self.theirs) if place not in taken]

    def bring_back(self, moved: Iterable[ComparedFill]) -> None:
        """Pair what the broker has on the day that a fill was recorded on before a correction moved it."""
        waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
        for place, fill in enumerate(self.theirs):
            waiting[fill.day, fill.exchange, fill.fill_id].append(place)
            waiting[fill.day, *_terms(fill), fill.fill_id is None].append(place)
        taken: set[int] = set()
        rest: list[ComparedFill] = []
        for ours, is_compared in (*((fill, True) for fill in self.ours), *((fill, False) for fill in moved)):
            # By its id; by its content where no two ids say that these are two fills.
            names: list[Hashable] = [(ours.recorded_day, *_terms(ours), True)]
            if ours.fill_id is None:
                names.append((ours.recorded_day, *_terms(ours), False))
            else:
                names.insert(0, (ours.recorded_day, ours.exchange, ours.fill_id))
            places = [waiting[name] for name in names if ours.recorded_day is not None]
            for queue in places:
                while queue and queue[0] in taken:
                    queue.popleft()
            match = next((queue[0] for queue in places if queue), None)
            if match is not None:
                taken.add(match)
                self._add(BreakKind.FILL_DIFFERS, self.theirs[match], ours, self.theirs[match])
            elif is_compared:
                rest.append(ours)
        self.ours = rest
        self.theirs = [fill for place, fill in enumerate(self.theirs) if place not in taken]

    def same_content(self, ours: ComparedFill, theirs: ComparedFill) -> None:
        """Take a pair of the same fill; under two ids it would be booked twice by an import."""
        self.paired.add(ours.content)
        if ours.fill_id is not None and theirs.fill_id is not None:
            self._add(BreakKind.FILL_ID_DIFFERS, theirs, ours, theirs)

    def differing(self, ours: ComparedFill, theirs: ComparedFill) -> None:
        """Take a pair that is one fill with another price or quantity."""
        self._add(BreakKind.FILL_DIFFERS, theirs, ours, theirs, is_in_rows=bool(ours.other_rows))

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
        key = name_of(named)
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


def _is_sum_of(rows: Sequence[ComparedFill], lines: Sequence[ComparedFill]) -> bool:
    """Tell whether both are as many units for the same money, but for what the rows' average prices leave off."""
    zero = Decimal(0)
    if sum((fill.quantity for fill in rows), zero) != sum((fill.quantity for fill in lines), zero):
        return False
    paid, stated = (sum((fill.quantity * fill.price for fill in side), zero) for side in (rows, lines))
    return abs(paid - stated) <= sum((fill.quantity * printed_to(fill.price) for fill in rows), zero)


def _terms(fill: ComparedFill) -> tuple[str, str, str, Decimal, Decimal]:
    """Return what makes fills without an id the same, whatever day they stand on."""
    return fill.exchange, fill.symbol, fill.side, fill.quantity.normalize(), fill.price.normalize()


def _in_rows(ours: ComparedFill | None, theirs: ComparedFill | None) -> Proposal:
    """Return what is to be done about a fill that turned a position: it stands in two rows of the ledger."""
    words, trade_id = theirs.words if theirs else "nothing", ours.trade_id if ours else ""
    text = f"Look at trade {trade_id}: the broker has {words}, and its rows in the ledger do not add up to it."
    return Proposal(Remedy.LOOK, text, {"trade_id": trade_id})


def row_named(fill: ComparedFill) -> dict[str, str]:
    """Return what names a fill's rows in the ledger, as arguments of a proposal."""
    rows = {"trade_id": fill.trade_id, "strategy": fill.strategy_id, "sequence": str(fill.sequence)}
    for number, (trade_id, strategy, sequence) in enumerate(fill.other_rows, 2):
        rows |= {f"trade_id_{number}": trade_id, f"strategy_{number}": strategy, f"sequence_{number}": str(sequence)}
    return {**rows, "day": fill.day.isoformat()}


def _proposal(kind: BreakKind, ours: ComparedFill | None, theirs: ComparedFill | None) -> Proposal:
    """Return what would put a fill right."""
    row = {} if ours is None else row_named(ours)
    where = "" if ours is None else f"fill {ours.sequence} of trade {ours.trade_id}"
    if kind is BreakKind.FILL_NOT_IN_LEDGER and theirs is not None:
        names = ("symbol", "side", "quantity", "price", "day", "at", "fill_id")
        arguments = {name: theirs.figures[name] for name in names} | {"order_id": theirs.order_id}
        arguments |= {"broker": theirs.broker, "segment": theirs.segment, "kind": theirs.kind}
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
    if ours.day != theirs.day:
        if not theirs.at:
            text = f"Look at {where}: it stands on {ours.day}, and the broker has it on {theirs.day}."
            return Proposal(Remedy.LOOK, text, row)
        changes["at"] = theirs.at
    words = " and ".join(f"{name} to {right}" for name, right in changes.items())
    return Proposal(Remedy.AMEND_FILL, f"Amend {where}, {ours.words}: {words}.", {**row, **changes})
