"""Files of instruments: Kite's `instruments.csv`, and a plain CSV whose header has the names of the terms."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trading.domain.contract_symbols import contract_of
from trading.errors import InvalidValue

KITE = ("tradingsymbol", "expiry", "strike", "tick_size", "lot_size", "instrument_type", "segment", "exchange")
TERMS = (
    *("kind", "currency", "multiplier", "lot", "quantity_step", "price_tick", "session_group"),
    *("underlying", "share_group", "expiry", "strike"),
)
_KINDS = {"EQ": "EQUITY", "FUT": "FUTURE", "CE": "OPTION", "PE": "OPTION"}
_INDICES = "INDICES"


@dataclass(frozen=True, slots=True)
class InstrumentRow:
    """One line of a file: ``exchange`` "" where it names none; ``terms`` are those that it tells, as texts."""

    line: int
    exchange: str
    symbol: str
    terms: Mapping[str, str]


def parse_instruments(text: str) -> list[InstrumentRow]:
    """Return the rows of a file's text; their cells are not checked.

    Raises: InvalidValue where it has neither header, or is no CSV.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    try:
        header = set(reader.fieldnames or ())
        if set(KITE) <= header:
            return list(_kites(reader))
        if "symbol" in header:
            return [
                InstrumentRow(
                    reader.line_num,
                    row.get("exchange") or "",
                    row["symbol"] or "",
                    {name: row[name] for name in TERMS if row.get(name)},
                )
                for row in reader
            ]
    except csv.Error as error:
        raise InvalidValue(f"Line {reader.line_num} cannot be read: {error}.", field="load") from error
    raise InvalidValue(
        "This is no file of instruments.",
        field="load",
        hint=f"Its header has {', '.join(KITE)}, or symbol, exchange and any of {', '.join(TERMS)}.",
    )


def _kites(reader: csv.DictReader[str]) -> Iterator[InstrumentRow]:
    """Yield the rows of Kite's file. It tells no multiplier: its lots of a commodity are of one contract."""
    for cells in reader:
        row = {name: cell or "" for name, cell in cells.items() if isinstance(name, str)}  # a line may be cut
        symbol = row["tradingsymbol"]
        kind = "INDEX" if row["segment"] == _INDICES else _KINDS.get(row["instrument_type"], row["instrument_type"])
        terms = {"kind": kind, "lot": row["lot_size"]}
        terms |= {} if not row["tick_size"].strip("0.") else {"price_tick": row["tick_size"]}
        if kind in ("FUTURE", "OPTION"):
            proven = contract_of(symbol)
            terms |= {
                "underlying": row.get("name", "") or (proven.underlying if proven else ""),
                "expiry": row["expiry"],
            }
            terms |= {"strike": row["strike"]} if kind == "OPTION" else {}
        yield InstrumentRow(reader.line_num, row["exchange"], symbol, terms)
