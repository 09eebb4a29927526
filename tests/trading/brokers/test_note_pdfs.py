"""A contract note as a PDF says what its text says, however far apart the printer set the words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.trading.brokers.pdf_writer import Placed, pdf_of_lines, pdf_of_texts
from tests.trading.brokers.test_recognition import FILES, upstox_note
from trading.brokers.containers.opening import open_document, open_head
from trading.brokers.document import Document
from trading.brokers.formats import recognise

LINES_OF_A_PAGE = 44
NOTES = {"groww": FILES["groww-note"][0], "upstox": upstox_note}


def close_together(lines: tuple[str, ...]) -> bytes:
    return pdf_of_lines(*[lines[n : n + LINES_OF_A_PAGE] for n in range(0, len(lines), LINES_OF_A_PAGE)])


def far_apart(lines: tuple[str, ...]) -> bytes:
    texts: list[Placed] = []
    for number, line in enumerate(lines[:LINES_OF_A_PAGE]):
        left = 20.0
        for word in line.split():
            texts.append((left, 40 + 12 * number, word))
            left += 4.8 * len(word) + 14
    return pdf_of_texts(texts)


@pytest.mark.parametrize("write", [close_together, far_apart])
@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
def test_a_note_is_read_from_its_pdf(note: Callable[[], Document], write: Callable[[tuple[str, ...]], bytes]) -> None:
    text = note()
    content = write(text.lines)
    statement = recognise(open_head(content, text.name)).read(open_document(content, text.name))
    from_text = recognise(text).read(text)
    assert [(each.side, each.quantity, each.price) for each in statement.notes] == [
        (each.side, each.quantity, each.price) for each in from_text.notes
    ]
    assert [(each.head, each.amount) for each in statement.charges] == [
        (each.head, each.amount) for each in from_text.charges
    ]
    assert (statement.client, statement.stated) == (from_text.client, from_text.stated)
