"""Tables of points as JSON, CSV or an Arrow stream, whichever a program accepts: times to the nanosecond, no float."""

from __future__ import annotations

import csv
import io
import math
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
from django.http import HttpRequest, HttpResponse

from trading.api.problems import NotAcceptable
from trading.domain.plain_json import to_json
from trading.domain.spreadsheet import cell

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
TYPES = (JSON, CSV, ARROW)
Cell: TypeAlias = "str | int | bool | Decimal | None"


def table_response(request: HttpRequest, name: str, table: pa.Table, following: str | None) -> HttpResponse:
    """Return a table as the request accepts it; where there are more rows, `next` and a Link say which come then.

    Raises: NotAcceptable.
    """
    kind = request.get_preferred_type(TYPES)
    if kind is None:
        raise NotAcceptable(
            f"Nothing here is {request.headers.get('Accept')!r}.", hint=f"Accept {', '.join(TYPES)}, or leave it out."
        )
    if kind == JSON:
        columns = columns_of(table)
        rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
        response = HttpResponse(to_json({name: rows, "next": following}), content_type=JSON)
    elif kind == CSV:
        response = HttpResponse(_csv_of(table), content_type=f"{CSV}; charset=utf-8")
    else:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        response = HttpResponse(sink.getvalue().to_pybytes(), content_type=ARROW)
    if following is not None:
        query = urlencode({**request.GET.dict(), "start": following})
        response.headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    response.headers["Vary"] = "Accept"
    return response


def instant_texts(instants: list[int | None]) -> list[str | None]:
    """Return instants (ns UTC) in ISO form with `Z`: whole seconds, else with 6 digits or 9 behind them."""
    whole_instants = np.array([instant or 0 for instant in instants], "datetime64[ns]")
    texts: list[str | None] = []
    for instant, text in zip(instants, np.datetime_as_string(whole_instants, unit="ns").tolist(), strict=True):
        whole, fraction = text[:-10], text[-9:]
        digits = "" if fraction == "000000000" else f".{fraction[:6] if fraction.endswith('000') else fraction}"
        texts.append(None if instant is None else f"{whole}{digits}Z")
    return texts


def columns_of(table: pa.Table) -> dict[str, list[Cell]]:
    """Return columns by name, their cells as they are answered: times as texts, floats as decimals."""
    return {name: _cells(table.column(name)) for name in table.column_names}


def number(amount: float | None) -> Decimal | None:
    """Return a float by its shortest decimal form, None for none and for what is no number."""
    return None if amount is None or not math.isfinite(amount) else Decimal(repr(amount))


def _cells(column: pa.ChunkedArray) -> list[Cell]:
    if pa.types.is_timestamp(column.type):
        return [*instant_texts(column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_pylist())]
    if pa.types.is_floating(column.type):
        return [number(amount) for amount in column.to_pylist()]
    cells: list[Cell] = column.to_pylist()
    return cells


def _csv_of(table: pa.Table) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([cell(name) for name in table.column_names])
    columns = columns_of(table).values()
    writer.writerows([cell(each) for each in cells] for cells in zip(*columns, strict=True))
    return text.getvalue()
