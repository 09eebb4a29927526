"""What a broker's file is, told from its first rows or its first page: files of one megabyte, every container."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from time import perf_counter

from bench.harness import Figures, Row
from tests.trading.brokers.pdf_writer import pdf_of_lines
from tests.trading.brokers.workbooks import xls, xlsx
from trading.brokers.containers.opening import open_head
from trading.brokers.formats import recognise
from trading.brokers.mapped_file import shipped_formats
from trading.errors import UnknownLayout

MEGABYTE = 1 << 20
MARKS = {"CSV": 50.0, "JSON": 50.0, "XML": 50.0, "XLSX": 300.0, "XLS": 300.0, "PDF": 1000.0}
HEADER = [
    *("symbol", "isin", "trade_date", "exchange", "segment", "series", "trade_type", "auction", "quantity", "price"),
    *("trade_id", "order_id", "order_execution_time"),
]
FIRST = datetime(2026, 6, 2, 9, 15)


def files() -> dict[str, bytes]:
    """Return a file of about a megabyte for each container; fills that differ, so that it packs as real ones do."""
    source = random.Random(14)
    fills = [_fill(source, number) for number in range(24_000)]
    csv_lines = [",".join(HEADER), *(",".join(map(str, fill)) for fill in fills)]
    kite = [{"trade_id": str(fill[10]), "average_price": fill[9], "quantity": fill[8]} for fill in fills]
    flex = "".join(
        f'<Trade symbol="{fill[0]}" quantity="{fill[8]}" tradePrice="{fill[9]}" tradeID="{fill[10]}"/>'
        for fill in fills
    )
    pages = [[f"{fill[11]}  {fill[12]}  {fill[0]}  B  {fill[8]}  {fill[9]}" for fill in fills[n : n + 40]]
             for n in range(0, 280 * 40, 40)]  # fmt: skip
    contents = {
        "CSV": "\n".join(csv_lines).encode()[:MEGABYTE].rpartition(b"\n")[0],
        "JSON": json.dumps({"status": "success", "data": kite[: MEGABYTE // 75]}).encode(),
        "XML": f"<FlexQueryResponse><Trades>{flex[:MEGABYTE].rpartition('<')[0]}</Trades></FlexQueryResponse>".encode(),
        "XLSX": xlsx({"Trades": [HEADER, *fills]}),
        "XLS": xls({"Trades": [HEADER, *fills[:6_000]]}),
        "PDF": pdf_of_lines(*pages),
    }
    return {kind: content for kind, content in contents.items() if _is_a_megabyte(kind, content)}


def _fill(source: random.Random, number: int) -> list[str | int | float]:
    symbol = f"SYM{source.randrange(200)}"
    at = FIRST + timedelta(seconds=number)
    return [
        *(symbol, f"INE{source.randrange(10**6):06d}018", f"{at:%Y-%m-%d}", "NSE", "EQ", "EQ"),
        *(source.choice(("buy", "sell")), "false", source.randrange(1, 500), source.randrange(1000, 500_000) / 100),
        *(200_000 + number, f"{source.randrange(10**16):016d}", f"{at:%Y-%m-%dT%H:%M:%S}"),
    ]


def _is_a_megabyte(kind: str, content: bytes) -> bool:
    if not 0.7 * MEGABYTE < len(content) < 2 * MEGABYTE:
        raise ValueError(f"the {kind} of this bench has {len(content)} bytes")
    return True


@contextmanager
def prepare() -> Iterator[Figures]:
    contents, mappings = files(), shipped_formats()

    def measure() -> dict[str, float]:
        milliseconds = {}
        for kind, content in contents.items():
            began = perf_counter()
            with suppress(UnknownLayout):  # asked of every format, and of none
                recognise(open_head(content, "trades"), mappings)
            milliseconds[kind] = (perf_counter() - began) * 1000
        return milliseconds

    yield Figures(measure, MARKS, "ms")


ROWS = [Row("recognition", "a broker's file of a megabyte recognised by its head", prepare)]
