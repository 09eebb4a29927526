"""Rows in the form that a program accepts: lists of the ledger as JSON or CSV, points as Arrow streams as well.

Times are whole, of points to the nanosecond; there is no float.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
from django.http import HttpRequest, HttpResponse
from ninja import Schema

from timeseries.values import instant_text
from trading.api.problems import NotAcceptable
from trading.domain.chain import JSON as Content
from trading.domain.chain import Body
from trading.domain.plain_json import to_json
from trading.domain.spreadsheet import cell
from trading.domain.values import AsDict

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
POINT_FORMS, LIST_FORMS = (JSON, CSV, ARROW), (JSON, CSV)
LedgerRow: TypeAlias = AsDict | Mapping[str, Content]
Cell: TypeAlias = "str | int | bool | Decimal | None"


def table_response(request: HttpRequest, name: str, table: pa.Table, following: str | None) -> HttpResponse:
    """Return a table as the request accepts it; where there are more rows, `next` and a Link say which come then.

    Raises: NotAcceptable.
    """
    kind = _accepted(request, POINT_FORMS)
    if kind == ARROW:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return _with_link(request, HttpResponse(sink.getvalue().to_pybytes(), content_type=ARROW), start=following)
    columns = columns_of(table)
    if kind == CSV:
        response = _sheet(columns, zip(*columns.values(), strict=True))
    else:
        rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
        response = HttpResponse(to_json({name: rows, "next": following}), content_type=JSON)
    return _with_link(request, response, start=following)


def list_response(
    request: HttpRequest, name: str, shape: type[Schema], answers: Sequence[LedgerRow], **places: str | None
) -> HttpResponse:
    """Return rows of the ledger as the request accepts them; of a list with pages, ``next`` leads to the one behind.

    Raises: NotAcceptable.
    """
    rows = [answer.as_dict() if isinstance(answer, AsDict) else answer for answer in answers]
    if _accepted(request, LIST_FORMS) == CSV:
        columns = rows[0] if rows else shape.model_fields
        response = _sheet(columns, (map(_flat, row.values()) for row in rows))
    else:
        response = HttpResponse(to_json({name: rows, **places}), content_type=JSON)
    return _with_link(request, response, after=places.get("next"))


def answer_response(
    request: HttpRequest, answer: Body, rows: Sequence[LedgerRow], columns: Sequence[str] = ()
) -> HttpResponse:
    """Return an answer as the request accepts it: as JSON whole, as CSV its rows, whose ``columns`` are else the first
    row's. Raises: NotAcceptable."""
    if _accepted(request, LIST_FORMS) == CSV:
        cells = [row.as_dict() if isinstance(row, AsDict) else row for row in rows]
        response = _sheet(columns or cells[0], (map(_flat, row.values()) for row in cells))
    else:
        response = HttpResponse(to_json(answer), content_type=JSON)
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


def _accepted(request: HttpRequest, forms: Sequence[str]) -> str:
    kind = request.get_preferred_type(forms)
    if kind is None:
        raise NotAcceptable(
            f"Nothing here is {request.headers.get('Accept')!r}.", hint=f"Accept {', '.join(forms)}, or leave it out."
        )
    return kind


def _sheet(columns: Iterable[str], rows: Iterable[Iterable[Content | Decimal]]) -> HttpResponse:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([cell(name) for name in columns])
    writer.writerows([cell(each) for each in cells] for cells in rows)
    return HttpResponse(text.getvalue(), content_type=f"{CSV}; charset=utf-8")


def _flat(content: Content) -> Content:
    """Return what one cell holds: an instant as JSON has it, flags as words."""
    if isinstance(content, datetime):
        return instant_text(content)
    return " ".join(content) if isinstance(content, tuple) else content


def _with_link(request: HttpRequest, response: HttpResponse, **place: str | None) -> HttpResponse:
    """Add what asks for the page behind this one, where there is one."""
    if None not in place.values():
        response.headers["Link"] = f'<{request.path}?{urlencode({**request.GET.dict(), **place})}>; rel="next"'
    response.headers["Vary"] = "Accept"
    return response
