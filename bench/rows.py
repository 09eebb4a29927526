"""Every row of the table, in the order of the design's list."""

from bench import hot, ledger, logs, replay, statistics, store, ticks

ROWS = [*ticks.ROWS, *store.ROWS, *hot.ROWS, *logs.ROWS, *ledger.ROWS, *statistics.ROWS, *replay.ROWS]
