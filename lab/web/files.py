"""Tables of the lab as files: what its commands write, as JSON and CSV."""

from __future__ import annotations

import json
import re
from decimal import Decimal

from django.http import Http404, HttpRequest, HttpResponse

from trading.management.output import to_csv
from trading.management.report import Table, Value

JSON_TYPE, CSV_TYPE = "application/json", "text/csv; charset=utf-8"
_AMOUNT = re.compile(r"-?\d+(\.\d+)?")


def asked_file(request: HttpRequest, name: str, body: str, rows: str) -> HttpResponse | None:
    """Return what ``?format=`` asks for: `json` is the answer as its command wrote it, `csv` the rows of the page (a
    JSON array of objects with the same keys); None where the page itself is asked for.

    Raises: Http404 for any other.
    """
    form = request.GET.get("format", "")
    if not form:
        return None
    if form == "json":
        return _download(body + "\n", JSON_TYPE, f"{name}.json")
    if form != "csv":
        raise Http404(f"There is no format “{form}”: ask for json or csv.")
    table = json.loads(rows)
    columns = list(table[0]) if table else []
    cells = [[_cell(row[column]) for column in columns] for row in table]
    return _download(to_csv([Table(name, columns, cells)]), CSV_TYPE, f"{name}.csv")


def _cell(cell: Value | dict[str, float]) -> Value:
    if isinstance(cell, dict):
        return json.dumps(cell)
    return Decimal(cell) if isinstance(cell, str) and _AMOUNT.fullmatch(cell) else cell


def _download(content: str, kind: str, name: str) -> HttpResponse:
    return HttpResponse(content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
