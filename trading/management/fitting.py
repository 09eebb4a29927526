"""How the columns of a table are laid out in a terminal, so that nothing of them is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

TEXT_MIN = 20  # columns of text get narrower than they are, down to this, before a table goes on below
BORDER = 3  # what a column takes beside its cells; the last one takes one more


def column_widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column of a table is by what stands in it."""
    return [max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)]


def table_width(widths: Sequence[int]) -> int:
    """Return how wide a table of columns of these widths is."""
    return sum(width + BORDER for width in widths) + 1


def fitting_blocks(widths: Sequence[int], numeric: Sequence[bool], room: int) -> Iterator[dict[int, int]]:
    """Yield the columns that stand side by side, each with its width; the first one begins each block.

    Columns of numbers are as wide as they are, those of text share what is left of the room.
    """
    least = [width if is_numeric else min(width, TEXT_MIN) for width, is_numeric in zip(widths, numeric, strict=True)]
    blocks = [[0]]
    for number in range(1, len(widths)):
        if len(blocks[-1]) > 1 and table_width([least[column] for column in (*blocks[-1], number)]) > room:
            blocks.append([0])
        blocks[-1].append(number)
    for block in blocks:
        spare, shares = max(0, room - table_width([least[column] for column in block])), {}
        # The narrowest first: what it does not need is there for those that want more.
        for position, column in enumerate(sorted(block, key=lambda column: widths[column] - least[column])):
            shares[column] = min(widths[column] - least[column], spare // (len(block) - position))
            spare -= shares[column]
        yield {column: least[column] + shares[column] for column in block}
