"""The tags of trades' reviews as a cut of their exits: as they are recorded, and as a column beside the exits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from django.db.models import QuerySet

from trading.domain.cuts import NONE
from trading.domain.exit_columns import Groups
from trading.domain.exit_runs import Integers, distinct
from trading.models import Realisation, Review
from trading.queries.columns import coded, fetched_columns, text, texts_of
from trading.queries.condition_columns import TRADE, lookups_of
from trading.queries.lines import WORD, numbers, words
from trading.queries.statistics import Cut

Tags = Mapping[int, tuple[str, ...]]  # by the key of a trade that has some
TAG = "tag"  # a column of a table


def recorded_tags(cut: Cut, exits: QuerySet[Realisation] | None = None) -> Tags:
    """Return the tags of the trades' reviews, of those of some exits or (None) of the whole cut. Of one that was
    changed since, nobody knows the tags that it had."""
    rows = Review.objects.filter(**lookups_of(cut, "trade", exits))
    rows = rows if cut.known_at is None else rows.filter(reviewed_at__lt=cut.known_at)
    pks, tags = fetched_columns(rows.values_list("trade_id", text("tags")))
    return {pk: texts_of(some) for pk, some in zip(pks, tags, strict=True) if texts_of(some)}


def tag_groups(recorded: Tags, trades: Integers, of_trade: Integers) -> Groups:
    """Return the cut by tags; ``trades`` are keys, ascending, ``of_trade`` the place of each exit's among them."""
    tagged, names = coded([", ".join(sorted(some)) for some in recorded.values()])
    keys = np.fromiter(recorded, dtype=np.int64, count=len(recorded))
    places = np.searchsorted(trades, keys)
    is_one = np.append(trades, -1)[places] == keys
    codes = np.zeros(len(trades), dtype=np.int64)
    codes[places[is_one]] = tagged[is_one] + 1
    return Groups(codes[of_trade], [NONE, *names])


def with_tags(exits: pa.Table, recorded: Tags) -> pa.Table:
    """Return exits, each with its group of the cut by tags."""
    codes, names = tag_groups(recorded, *distinct(numbers(exits[TRADE])))
    column = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(names, pa.string()))
    return exits.append_column(TAG, column.cast(WORD))


def tags_in(exits: pa.Table) -> Groups:
    """Return `tag_groups` from exits `with_tags`."""
    return Groups(*words(exits[TAG]))
