"""A feed that is read in stretches is the feed that it is when it is read as a whole, wherever it is cut."""

from __future__ import annotations

import gc
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import VeloxError
from trading.feeds import feed, lines
from trading.feeds.feed import Feed, Reading, read_feed
from trading.feeds.names import FileSymbols
from trading.feeds.points import points_of
from trading.feeds.stretches import Outline
from trading.feeds.ticks import NUMBERS, Ticks, concatenated

KOLKATA = ZoneInfo("Asia/Kolkata")
NOW = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp()) * 10**9
BEGIN = datetime(2021, 4, 12, 9, 15)
# Seconds from one line to the next: within a minute, across minutes, days apart, and back again.
STEPS = st.sampled_from([0.0, 0.0, 0.000001, 1.0, 1.0, 20.0, 59.9999, 61.0, 300.0, 86_400.0, -1.0, -70.0, -90_000.0])
LINE = st.tuples(STEPS, st.sampled_from("AB"), st.integers(0, 40))


def read(paths: list[Path]) -> Feed:
    return read_feed(paths, Reading(FileSymbols(), KOLKATA, lambda _symbol: pytest.fail("no bars")), now_ns=NOW)


def facts(paths: list[Path]) -> object:
    """Everything that a replay makes of the files."""
    try:
        whole = read(paths)
    except VeloxError as error:
        return str(error)
    parts = list(whole.stretches())
    ticks = concatenated(parts)
    keys = np.concatenate([points_of(part).time for part in parts])
    columns = [getattr(ticks, name).tolist() for name in ("symbol", "time")]
    numbers = [np.nan_to_num(getattr(ticks, name), nan=-1.0).tolist() for name in NUMBERS]
    return ticks.symbols, columns, numbers, keys.tolist(), whole.spans, whole.size, whole.rows_read, whole.volumes


def written(folder: Path, name: str, rows: list[tuple[float, str, int]], *, rising: bool) -> Path:
    at, volume, texts = BEGIN, 0, []
    for step, symbol, number in rows:
        at += timedelta(seconds=step)
        volume = volume + number if rising else number
        texts.append(f"{at.isoformat(sep=' ')},{name}{symbol},{100 + number},{volume}\n")
    path = folder / f"{name}.csv"
    path.write_text("timestamp,symbol,ltp,volume\n" + "".join(texts))
    return path


@given(
    st.lists(st.tuples(st.lists(LINE, min_size=1, max_size=60), st.booleans()), min_size=1, max_size=3),
    st.integers(1, 25),
    st.integers(40, 900),
)
def test_where_a_feed_is_cut_changes_nothing(tmp_path_factory, files, lines_max, block):
    folder = tmp_path_factory.mktemp("feed")
    paths = [written(folder, f"F{n}", rows, rising=rising) for n, (rows, rising) in enumerate(files)]
    expected = facts(paths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "LINES_MAX", lines_max)
        patch.setattr(lines, "BLOCK_BYTES", block)
        assert facts(paths) == expected


def test_volumes_of_several_days_are_told_symbol_by_symbol_wherever_the_file_is_cut(tmp_path, monkeypatch):
    path = written(tmp_path, "F", [(1.0, "A", 1), (1.0, "B", 1), (86_400.0, "A", 1)], rising=True)
    whole = read([path]).volumes
    monkeypatch.setattr(feed, "LINES_MAX", 1)
    assert read([path]).volumes == whole
    assert [reading.symbol for reading in whole] == ["FA", "FB"]


def test_a_stretch_holds_no_more_lines_than_it_may(tmp_path, monkeypatch):
    path = written(tmp_path, "F", [(1.0, "A", 1)] * 2_000, rising=True)
    monkeypatch.setattr(feed, "LINES_MAX", 200)
    sizes = [len(part) for part in read([path]).stretches()]
    assert sum(sizes) == 2_000 and max(sizes) <= 200 and len(sizes) < 15


def test_no_cut_lies_between_a_line_and_a_later_one_of_before(tmp_path, monkeypatch):
    rows = [(1.0, "A", 1)] * 600 + [(-500.0, "A", 1)] + [(700.0, "A", 1)] * 3
    path = written(tmp_path, "F", rows, rising=True)
    monkeypatch.setattr(feed, "LINES_MAX", 70)
    parts: list[Ticks] = list(read([path]).stretches())
    assert len(parts) > 2
    ends = [(int(part.time.min()), int(part.time.max())) for part in parts]
    assert all(last < first for (_, last), (first, _) in pairwise(ends))


def test_an_outline_of_years_is_two_numbers_for_each_minute():
    outline = Outline()
    tracemalloc.start()
    try:
        for first in range(0, 100_000, 10_000):
            minutes = (np.arange(first, first + 10_000) * 60 + 1) * 10**9
            nothing = {name: np.full(len(minutes), np.nan) for name in NUMBERS}
            outline.add(Ticks(("A",), np.zeros(len(minutes), dtype=np.int64), minutes, **nothing))
        del minutes, nothing
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert outline.before([0, 70_000, 10**6]) == [0, 70_000, 100_000]
    assert kept < 100_000 * 20  # as numbers of Python's own they would be 10 MB


def test_a_feed_in_stretches_holds_no_outline_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "LINES_MAX", 5)
    whole = read([written(tmp_path, "a", [(61.0, "A", 1)] * 40, rising=True)])
    assert len(list(whole.stretches())) > 1
    gc.collect()
    assert not [kept for kept in gc.get_objects() if isinstance(kept, Outline)]
