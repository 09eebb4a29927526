"""What belongs to exported trades beside their own rows, as columns in their order: reviews, what was measured, and
conditions of signals. Each is read by one query for a block of trades."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.db.models import Model, QuerySet
from numpy.typing import NDArray

from trading.domain.chain import Body
from trading.domain.display import json_text
from trading.domain.export import TYPES, ColumnKind
from trading.domain.feed_gaps import mark
from trading.domain.unit_columns import Truths, Units, decimal_column, unit_columns
from trading.models import Excursion, Review, Signal
from trading.queries.columns import fetched_columns, text, texts_of, units
from trading.queries.excursions import FIELDS
from trading.queries.lines import rows_of_keys, texts_by
from trading.queries.trade_list import REVIEWED, TO_REVIEW

_NUMBER = r"(?:-?[1-9]\d{0,8}\.(?:\d{0,5}[1-9]|0)|-?0\.(?:\d{0,3}[1-9]|0)|-?[1-9]\d{0,17}|0)"
_TEXT = r'"[^"\\]*"'
_PAIR = rf"{_TEXT}: (?:{_NUMBER}|{_TEXT}|true|false|null)"
# JSON as Python writes it, and which it would read and write again as it is: flat, no escape, floats of 15 digits at
# most and neither so small nor so large that they would get an exponent.
_AS_WRITTEN = rf"^\{{(?:{_PAIR}(?:, {_PAIR})*)?\}}$"
MEASURED = {
    **dict.fromkeys(("mae", "mfe", "mae_r", "mfe_r", "given_back"), TYPES[ColumnKind.VALUE]),
    **dict.fromkeys(("mae_price", "mfe_price"), TYPES[ColumnKind.AMOUNT]),
    **dict.fromkeys(("mae_at", "mfe_at"), TYPES[ColumnKind.TIME]),
    "ticks": TYPES[ColumnKind.COUNT],
    "gap": pa.string(),
}


class Picked:
    """The trades of a block by key, and the rows of other tables that belong to them."""

    def __init__(self, pks: NDArray[np.int64]) -> None:
        self.pks = pks

    def __len__(self) -> int:
        return len(self.pks)

    def rows_of(self, model: type[Model]) -> QuerySet[Model]:
        """Return the rows of these trades by trade, and where their keys are close together those between as well."""
        return rows_of_keys(model._default_manager.order_by("trade_id"), "trade", self.pks)

    def places(self, keys: NDArray[np.int64]) -> pa.Int32Array:
        """Return for each trade the place of its row among rows by trade (ascending, each once), null without one."""
        return pc.index_in(pa.array(self.pks), value_set=pa.array(keys))


def reviews_of(picked: Picked) -> dict[str, pa.Array]:
    """Return the columns of the trades' reviews, from ``review`` to ``reviewed_at``; null but the first without one."""
    words = ("trade_id", "state", "mistakes", "notes", "reviewed_by__username", "rating")
    rows = picked.rows_of(Review).values_list(*words, text("tags"), text("reviewed_at"))
    trades, states, mistakes, notes, persons, ratings, tags, at = fetched_columns(rows)
    places = picked.places(np.array(trades, dtype=np.int64))

    def column(cells: Sequence[str | None], indices: pa.Int32Array = places) -> pa.DictionaryArray:
        return pa.array(cells, pa.string()).dictionary_encode().take(indices)

    reviewed = [REVIEWED if state == Review.State.DONE else TO_REVIEW for state in states]
    return {
        "review": column([*reviewed, TO_REVIEW], places.fill_null(len(reviewed))),
        "rating": pa.array(ratings, pa.int64()).take(places),
        "tags": column([", ".join(texts_of(words)) for words in tags]),
        "mistakes": column(mistakes),
        "notes": column(notes),
        "reviewed_by": column(persons),
        "reviewed_at": instants(pa.array(at, pa.string())).take(places),
    }


def excursions_of(
    picked: Picked, pnl: Units, in_risks: Callable[[Units, Truths], pa.Decimal128Array]
) -> Mapping[str, pa.Array]:
    """Return the columns of what was measured of the trades (`excursions.FIELDS`), null of those that never were.

    ``pnl`` is what the trades earned before charges; ``in_risks`` divides amounts by their risk, where they are known.
    """
    amounts = ("mae", "mae_price", "mfe", "mfe_price")
    texts = (text(name) for name in ("mae_at", "mfe_at"))
    rows = picked.rows_of(Excursion).values_list("trade_id", "ticks", "quiet_seconds", *texts, *map(units, amounts))
    trades, ticks, quiet, mae_at, mfe_at, *measured = fetched_columns(rows)
    if not trades:  # as of a desk that records no ticks
        return {name: pa.nulls(len(picked), MEASURED[name]) for name in FIELDS}
    places = picked.places(np.array(trades, dtype=np.int64))
    is_measured = places.is_valid().to_numpy(zero_copy_only=False)
    columns, _ = unit_columns([pa.array(column, pa.int64()).take(places).to_pylist() for column in measured])
    mae, mae_price, mfe, mfe_price = columns
    return {
        "mae": decimal_column(mae, is_measured, TYPES[ColumnKind.VALUE]),
        "mae_price": decimal_column(mae_price, is_measured, TYPES[ColumnKind.AMOUNT]),
        "mae_r": in_risks(mae, is_measured),
        "mae_at": instants(pa.array(mae_at, pa.string())).take(places),
        "mfe": decimal_column(mfe, is_measured, TYPES[ColumnKind.VALUE]),
        "mfe_price": decimal_column(mfe_price, is_measured, TYPES[ColumnKind.AMOUNT]),
        "mfe_r": in_risks(mfe, is_measured),
        "mfe_at": instants(pa.array(mfe_at, pa.string())).take(places),
        "given_back": decimal_column(mfe - pnl, is_measured, TYPES[ColumnKind.VALUE]),
        "ticks": pa.array(ticks, pa.int64()).take(places),
        "gap": pa.array(map(mark, quiet), pa.string()).take(places),
    }


def conditions_of(picked: Picked) -> pa.StringArray:
    """Return the conditions of the signals that led to the trades as JSON texts, `{}` without one; where signals of a
    trade differ in one, the first signal's."""
    rows = picked.rows_of(Signal)
    of, seen = texts_by(rows, key="trade_id", path="conditions")
    if not len(of):
        return pa.array(["{}"] * len(picked), pa.string())
    if (of[1:] <= of[:-1]).any():  # seldom: sorting in the database would cost every reader as much again
        in_order = rows.order_by("trade_id", "at", "pk").values_list("trade_id", text("conditions"))
        keys, texts = fetched_columns(in_order)
        of, seen = np.array(keys, dtype=np.int64), pa.array(texts, pa.string())
    different, firsts, counts = np.unique(of, return_index=True, return_counts=True)
    answers = _rewritten(seen if len(different) == len(of) else seen.take(pa.array(firsts)))
    several = np.flatnonzero(counts > 1)
    if len(several):
        merged = answers.to_pylist()
        for place in several.tolist():
            merged_conditions: Body = {}
            for signal in seen.slice(firsts[place], counts[place]).to_pylist():
                merged_conditions = {**json.loads(signal), **merged_conditions}
            merged[place] = json_text(merged_conditions)
        answers = pa.array(merged, pa.string())
    answers = answers.take(picked.places(different))
    return answers.fill_null("{}") if answers.null_count else answers


def _rewritten(texts: pa.StringArray) -> pa.StringArray:
    """Return JSON texts as `json_text` writes what stands in them."""
    as_written = pc.match_substring_regex(texts, _AS_WRITTEN)
    if pc.all(as_written).as_py():
        return texts
    pairs = zip(texts.to_pylist(), as_written.to_pylist(), strict=True)
    return pa.array([text if is_one else json_text(json.loads(text)) for text, is_one in pairs], pa.string())


def instants(texts: pa.StringArray) -> pa.TimestampArray:
    """Return the instants of texts as the database has them (`columns.instant_of`)."""
    plain = (
        pc.replace_substring_regex(texts, r"\+00(:00)?$", "") if pc.any(pc.ends_with(texts, "+00")).as_py() else texts
    )
    return plain.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
