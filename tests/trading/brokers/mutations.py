"""Files of brokers with something spoilt: rows cut, cells swapped, types that no reader expects."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from datetime import date, datetime, time
from xml.etree.ElementTree import Element

from trading.brokers.document import CellRow, CellValue, Document, Sheet
from trading.domain.chain import JSON

ODD: list[CellValue] = [
    *(
        None,
        "",
        " ",
        "-",
        "--",
        "abc",
        "=1+1",
        "9" * 500,
        "٣",
        "1,2,3",
        "1e5",
        "NaN",
        "0",
        "-0",
        "-1",
        "1.5",
        "B",
        "BUY",
    ),
    *(True, 0, -1, 10**30, 1.5, -0.0, 1e308, float("nan"), float("inf"), "2026-02-30", "31-12-9999", "00:00:60"),
    *(
        date(1, 1, 1),
        date(9999, 12, 31),
        datetime(2026, 6, 2, 9, 15),
        time(9, 15),
        46175,
        "46175.5",
        "\u0000",
        "Total",
        "🤓",
    ),
]
ODD_JSON: list[JSON] = [
    None,
    "",
    "abc",
    True,
    0,
    -1,
    10**30,
    1.5,
    -1e308,
    "1,2",
    [],
    {},
    ["a"],
    {"a": 1},
    "2026-02-30 09:15:00",
]
CHANGES_MAX = 4


def mutated(document: Document, source: random.Random) -> Document:
    """Return a document with one to four changes."""
    for _ in range(source.randint(1, CHANGES_MAX)):
        if document.sheets:
            sheets = list(document.sheets)
            at = source.randrange(len(sheets))
            sheets[at] = Sheet(sheets[at].name, _rows([list(row) for row in sheets[at].rows], source))
            document = replace(document, sheets=tuple(sheets))
        elif document.lines:
            document = replace(document, lines=tuple(_lines(list(document.lines), source)))
        elif document.tree is not None:
            document = replace(document, tree=_tree(copy.deepcopy(document.tree), source))
        else:
            document = replace(document, value=_json(copy.deepcopy(document.value), source))
    return document


def _rows(rows: list[list[CellValue]], source: random.Random) -> list[CellRow]:
    if not rows:
        return []
    row = rows[source.randrange(len(rows))]
    match source.randrange(9):
        case 0:
            rows.remove(row)
        case 1:
            rows.insert(source.randrange(len(rows)), list(row))
        case 2 if row:
            del row[source.randrange(len(row)) :]
        case 3:
            row.extend(source.choices(ODD, k=3))
        case 4 if len(row) > 1:
            a, b = source.sample(range(len(row)), 2)
            row[a], row[b] = row[b], row[a]
        case 5:
            column = source.randrange(20)
            for each in rows:
                del each[column : column + 1]
        case 6:
            del rows[source.randrange(len(rows)) :]
        case _ if row:
            row[source.randrange(len(row))] = source.choice(ODD)
    return [tuple(each) for each in rows]


def _lines(lines: list[str], source: random.Random) -> list[str]:
    at = source.randrange(len(lines))
    words = lines[at].split(" ")
    match source.randrange(6):
        case 0 if len(lines) > 1:
            del lines[at]
        case 1:
            lines.insert(source.randrange(len(lines)), lines[at])
        case 2:
            lines[at] = lines[at][: source.randrange(len(lines[at]) + 1)]
        case 3 if len(lines) > 1:
            del lines[max(1, at) :]
        case _:
            words[source.randrange(len(words))] = str(source.choice(ODD))
            lines[at] = " ".join(words)
    return lines


def _tree(root: Element, source: random.Random) -> Element:
    element = source.choice(list(root.iter()))
    match source.randrange(4):
        case 0 if len(element):
            element.remove(element[source.randrange(len(element))])
        case 1 if len(element):
            element.append(copy.deepcopy(element[0]))
        case 2 if element.attrib:
            del element.attrib[source.choice(list(element.attrib))]
        case _ if element.attrib:
            element.attrib[source.choice(list(element.attrib))] = str(source.choice(ODD))
    return root


def _json(content: JSON, source: random.Random) -> JSON:
    """Return JSON in which something, at any depth, is gone or another."""
    if isinstance(content, dict) and content and source.random() < 0.9:
        key = source.choice(list(content))
        if source.random() < 0.15:
            del content[key]
        else:
            content[key] = _json(content[key], source)
        return content
    if isinstance(content, list) and content and source.random() < 0.9:
        at = source.randrange(len(content))
        content[at] = _json(content[at], source)
        return content
    return source.choice(ODD_JSON)
