"""Read a CSV or workbook of any broker by its mapping file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from trading.brokers.cells import (
    PlacedCell,
    UnreadableCell,
    clock,
    day,
    identifier,
    in_zone,
    is_blank,
    naive_moment,
    number,
    number_or_none,
    required_text,
    text,
)
from trading.brokers.document import Document, Sheet
from trading.brokers.mapping import TableMapping, shipped_mappings
from trading.brokers.packed_fills import few_or_packed, packed_fills
from trading.brokers.tables import SheetLine, find_header, find_table, has_only
from trading.brokers.values import Broker, FillLine, Head, InstrumentName, Remark, Statement
from trading.errors import UnknownLayout

_PRICE_PLACES = Decimal("0.00000001")
_PENCE = Decimal(100)


@dataclass(frozen=True, slots=True)
class MappedFormat:
    """A format that a mapping file describes."""

    mapping: TableMapping

    @property
    def BROKER(self) -> Broker:
        """A broker that has no reader of its own."""
        return Broker.OTHER

    @property
    def KIND(self) -> str:
        """The mapping's code."""
        return self.mapping.code

    @property
    def NAME(self) -> str:
        """The mapping's name, for people."""
        return self.mapping.name

    def matches(self, head: Document) -> bool:
        """Say whether a sheet has a header with all of the mapping's columns, and no others where it is exact."""
        return self._sheet(head) is not None

    def read(self, document: Document) -> Statement:
        """Return the fills of a whole file. Raises: UnknownLayout."""
        sheet = self._sheet(document)
        if sheet is None:
            for each in document.sheets[:1]:  # which says the columns that differ
                find_table(document, each, self.mapping.names, is_exact=self.mapping.is_exact)
            raise UnknownLayout(f"{document.name} has no table.", hint="Nothing was read.")
        table = find_table(document, sheet, self.mapping.names, is_exact=self.mapping.is_exact)
        fills = packed_fills()
        ignored: list[Remark] = []
        rejected: list[Remark] = []
        clients: set[str] = set()
        rows_read = 0
        for line in table.lines():
            rows_read += 1
            try:
                reason = ignored_reason(self.mapping, line)
                if reason:
                    ignored.append(Remark(line.place, reason))
                    continue
                fills.append(LineReader(self.mapping, line).fill())
                clients.add(text(line.get(self.mapping.columns.get("client", ""))))
            except UnreadableCell as error:
                rejected.append(Remark(line.place, "unreadable_row", error.message))
        days = [fill.day for fill in fills]
        clients.discard("")
        if len(clients) > 1:
            raise UnknownLayout(f"{document.name} holds fills of {len(clients)} clients.", hint="Split it by client.")
        return Statement(
            file=document.name,
            sha256=document.sha256,
            broker=self.BROKER,
            kind=self.KIND,
            zone=self.mapping.zone.key if self.mapping.zone else "",
            rows_read=rows_read,
            first_day=min(days, default=None),
            last_day=max(days, default=None),
            client=next(iter(clients), None),
            fills=few_or_packed(fills),
            ignored=tuple(ignored),
            rejected=tuple(rejected),
            is_empty=rows_read == 0,
        )

    def _sheet(self, document: Document) -> Sheet | None:
        """Return the sheet that has the mapping's header; of a CSV with another delimiter than its none."""
        if self.mapping.delimiter not in (None, document.delimiter):
            return None
        for sheet in document.sheets:
            index = find_header(sheet, self.mapping.names)
            if index is not None and (not self.mapping.is_exact or has_only(sheet.rows[index], self.mapping.names)):
                return sheet
        return None


def shipped_formats() -> tuple[MappedFormat, ...]:
    """Return the formats of the mappings that come with VELOX."""
    return tuple(MappedFormat(mapping) for mapping in shipped_mappings())


def ignored_reason(mapping: TableMapping, line: SheetLine) -> str:
    """Return why a row is no fill, "" where no rule of the mapping says so."""
    return next((rule.reason for rule in mapping.ignored if rule.fits(text(line[rule.column]))), "")


class LineReader:
    """One row, read to a fill by a mapping. Raises: UnreadableCell from its methods."""

    def __init__(self, mapping: TableMapping, line: SheetLine) -> None:
        self._mapping = mapping
        self._line = line
        self._cells = {field: line[column] for field, column in mapping.columns.items()}
        if mapping.pattern is not None:
            self._cells |= self._of_sentence(self._cells["side"])

    def fill(self) -> FillLine:
        """Return the row's fill."""
        side, quantity = self._side_and_quantity()
        currency, divisor = self._currency()
        price, amount = self._price(quantity, currency, divisor)
        fill_day, at = self._time()
        return FillLine(
            place=self._line.place,
            instrument=self._instrument(),
            segment=None,
            side=side,
            quantity=quantity,
            price=price,
            day=fill_day,
            at=at,
            currency=currency,
            fill_id=self._id("fill_id"),
            order_id=self._id("order_id"),
            product=self._mapping.products.get(self._text("product") or ""),
            tag=self._text("tag"),
            charges=self._charges(currency),
            amount=amount,
        )

    def _of_sentence(self, cell: PlacedCell) -> Mapping[str, PlacedCell]:
        """Return the cells that a sentence holds, as `Koop 1 @ 33,9 USD`."""
        match = self._mapping.pattern.fullmatch(text(cell)) if self._mapping.pattern else None
        if match is None:
            raise cell.refused("neither a fill nor what the mapping ignores")
        return {
            field: PlacedCell(letters, cell.column, cell.place)
            for field, letters in match.groupdict().items()
            if letters is not None
        }

    def _side_and_quantity(self) -> tuple[str, Decimal]:
        """Return the side and the quantity above 0; a sign that says otherwise than the word is refused."""
        cell = self._cells["quantity"]
        quantity = number(cell, self._mapping.decimals)
        by_sign = "SELL" if quantity < 0 else "BUY"
        side = by_sign
        if "side" in self._cells:
            word = self._cells["side"]
            side = self._mapping.sides.get(text(word), "")
            if not side:
                raise word.refused("no word that buys or sells by the mapping")
        if quantity == 0:
            raise cell.refused("no quantity")
        if side != by_sign and (self._mapping.quantity_is_signed or quantity < 0):
            raise cell.refused(f"and the row is a {side}")
        return side, abs(quantity)

    def _currency(self) -> tuple[str, Decimal]:
        """Return the currency of the price, and what divides it where the file counts in hundredths."""
        if self._mapping.currency is not None:
            return self._mapping.currency, Decimal(1)
        word = required_text(self._cells["currency"])
        whole = self._mapping.minor_units.get(word)
        return (word, Decimal(1)) if whole is None else (whole, _PENCE)

    def _price(self, quantity: Decimal, currency: str, divisor: Decimal) -> tuple[Decimal, Decimal | None]:
        """Return the price of a unit, and the amount where the file has that alone."""
        marks = self._marks(currency)
        if "price" in self._cells:
            cell = self._cells["price"]
            price = number(cell, self._mapping.decimals, marks=marks)
            if price < 0:
                raise cell.refused("a price below 0")
            return (price if divisor == 1 else price / divisor), None
        amount = abs(number(self._cells["amount"], self._mapping.decimals, marks=marks)) / divisor
        price = amount / quantity
        return (price if price * quantity == amount else price.quantize(_PRICE_PLACES)), amount

    def _time(self) -> tuple[date, datetime | None]:
        """Return the day, and the instant where the file has a clock: naive where the mapping names no zone."""
        styles, zone = self._mapping.styles, self._mapping.zone
        if "at" in self._cells:
            cell = self._cells["at"]
            at = naive_moment(cell, *styles["at"])
        else:
            cell = self._cells["day"]
            fill_day = day(cell, *styles["day"])
            if "clock" not in self._cells or is_blank(self._cells["clock"]):
                return fill_day, None
            at = datetime.combine(fill_day, clock(self._cells["clock"], *styles["clock"]))
        if zone is None or at.tzinfo is not None:
            return at.date(), at
        return at.date(), in_zone(at, zone, cell)

    def _instrument(self) -> InstrumentName:
        """Return how the row names its instrument; one of its names must stand."""
        multiplier = number_or_none(self._cells["multiplier"]) if "multiplier" in self._cells else None
        names = InstrumentName(
            exchange=self._text("exchange") or self._mapping.exchange,
            symbol=self._text("symbol"),
            isin=self._text("isin"),
            company=self._text("company"),
            code=self._text("code"),
            multiplier=multiplier,
        )
        if not (names.symbol or names.isin or names.company or names.code):
            raise UnreadableCell("the row names no instrument", place=self._line.place, column="symbol")
        return names

    def _charges(self, currency: str) -> dict[Head, Decimal]:
        """Return the row's charges by head, a cost above 0; those in another currency than the price are refused."""
        charges: dict[Head, Decimal] = {}
        for head, column in self._mapping.charges.items():
            amount = number_or_none(self._line[column], self._mapping.decimals, marks=self._marks(currency))
            if amount is not None:
                charges[head] = -amount if self._mapping.cost_is_negative else amount
        if any(charges.values()) and "charge_currency" in self._cells:
            cell = self._cells["charge_currency"]
            if text(cell) != currency:
                raise cell.refused(f"and the price is in {currency}: the charge needs a rate")
        return charges

    def _marks(self, currency: str) -> tuple[str, ...]:
        """Return the marks of one currency: another's in its place is refused as no number."""
        return tuple(mark for mark, its_currency in self._mapping.marks.items() if its_currency == currency)

    def _id(self, field: str) -> str | None:
        return identifier(self._cells[field]) if field in self._cells else None

    def _text(self, field: str) -> str | None:
        return (text(self._cells[field]) or None) if field in self._cells else None
