"""Every row of the table, in the order of the design's list."""

from bench import (
    faults,
    fills,
    hot,
    influx,
    influx_desk,
    ledger,
    logs,
    paths,
    positions,
    replay,
    reports,
    soak,
    statistics,
    store,
    ticks,
    verification,
)

ROWS = [
    *ticks.ROWS,
    *faults.ROWS,
    *store.ROWS,
    *influx.ROWS,
    *influx_desk.ROWS,
    *hot.ROWS,
    *logs.ROWS,
    *ledger.ROWS,
    *fills.ROWS,
    *positions.ROWS,
    *paths.ROWS,
    *statistics.ROWS,
    *reports.ROWS,
    *replay.ROWS,
    *verification.ROWS,
    *soak.ROWS,
]
