"""Rows of a file put together of pieces of their cells, each a column of words.

What a file costs is a look at every cell of every column. So amounts and instants are cut into pieces of which few
differ (a sign, hundredths, a day, an offset), and pieces side by side that make few combinations become one. All rows
are then a single `take` of Arrow's: the texts that it puts one behind the other are the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trading.domain.exit_runs import Integers
from trading.domain.unit_columns import Truths

FEW = 256  # words that are put together with those beside them


@dataclass(frozen=True, slots=True)
class Words:
    """A piece of every row: the place of its word among some. None: all rows have the only one there is."""

    places: NDArray[np.int32] | None
    words: Sequence[str] | pa.StringArray

    def __len__(self) -> int:
        return len(self.words)


CellPiece = str | Words  # a text is alike in all rows


@dataclass(frozen=True, slots=True)
class CellFrame:
    """What stands around each cell that is there, and for one that is not."""

    quote: str
    null: str

    def around(self, pieces: Iterable[CellPiece], is_there: Truths | None) -> list[CellPiece]:
        """Return the pieces of cells, nothing where there is none, in their frame. None: all are there."""
        if is_there is None:
            return [self.quote, *pieces, self.quote]
        return [either(is_there, self.quote, self.null), *pieces, either(is_there, self.quote)]


BARE = CellFrame("", "")


def joined(pieces: Iterable[CellPiece], rows: int) -> memoryview:
    """Return the pieces of each row, one row after the other, as one text."""
    columns = _merged(pieces)
    places = np.empty((len(columns), rows), dtype=np.int32)
    first = 0
    for number, column in enumerate(columns):
        np.add(0 if column.places is None else column.places, np.int32(first), out=places[number])
        first += len(column)
    words = pa.concat_arrays([pa.array(column.words, pa.string()) for column in columns])
    _, offsets, texts = words.take(pa.array(np.ascontiguousarray(places.T).reshape(-1))).buffers()
    return memoryview(texts)[: int(np.frombuffer(offsets, dtype=np.int32)[places.size])]


def _merged(pieces: Iterable[CellPiece]) -> list[Words]:
    """Return pieces with those as one that stand side by side and make few combinations."""
    columns: list[Words] = []
    for piece in pieces:
        if not piece:
            continue
        words = Words(None, [piece]) if isinstance(piece, str) else piece
        pair = _as_one(columns[-1], words) if columns else None
        if pair is None:
            columns.append(words)
        else:
            columns[-1] = pair
    return columns


def _as_one(left: Words, right: Words) -> Words | None:
    """Return two pieces as one, None where their words make too many combinations."""
    if len(left) * len(right) > FEW or isinstance(left.words, pa.Array) or isinstance(right.words, pa.Array):
        return None
    words = [f"{word}{ending}" for word in left.words for ending in right.words]
    if left.places is None or right.places is None:
        return Words(right.places if left.places is None else left.places, words)
    return Words(left.places * np.int32(len(right)) + right.places, words)


def text_pieces(texts: pa.DictionaryArray | pa.StringArray, frame: CellFrame = BARE) -> list[CellPiece]:
    """Return texts as they are, in their frame."""
    if pa.types.is_dictionary(texts.type) and len(texts.dictionary) <= FEW:
        different, quote = texts.dictionary.to_pylist(), frame.quote
        words = [frame.null if word is None else f"{quote}{word}{quote}" for word in different]
        places = texts.indices.fill_null(len(words)).to_numpy().astype(np.int32, copy=False)
        if texts.null_count:
            words.append(frame.null)
        return [Words(places, words) if len(words) > 1 else words[0]]
    column = texts.cast(pa.string())
    return frame.around([Words(np.arange(len(column), dtype=np.int32), column.fill_null(""))], validity(column))


def number_texts(numbers: pa.Array, kind: pa.DataType | None = None) -> pa.DictionaryArray:
    """Return days or whole numbers, of which few differ, as texts; of a ``kind`` where they stand for such."""
    coded = numbers.dictionary_encode()
    different = coded.dictionary if kind is None else coded.dictionary.cast(pa.int32()).cast(kind)
    return pa.DictionaryArray.from_arrays(coded.indices, different.cast(pa.string()))


def looked_up(places: Integers, words: pa.StringArray, is_there: Truths | None) -> Words:
    """Return the words at some places, nothing where there is none."""
    if is_there is not None:
        places, words = np.where(is_there, places, len(words)), pa.concat_arrays([words, pa.array([""])])
    return Words(places.astype(np.int32), words if len(words) > FEW else words.to_pylist())


def either(holds: Truths, text: str, otherwise: str = "") -> CellPiece:
    """Return one text where something holds, another elsewhere."""
    return text if text == otherwise else Words(holds.astype(np.int32), [otherwise, text])


def masked(numbers: Integers, is_there: Truths | None) -> pa.Int64Array:
    """Return numbers, null where there is none."""
    return pa.array(numbers, mask=None if is_there is None else ~is_there)


def validity(column: pa.Array) -> Truths | None:
    """Return which cells are there, None where all are."""
    is_there: Truths = column.is_valid().to_numpy(zero_copy_only=False)
    return is_there if column.null_count else None
