"""What Grafana reads of a ledger on PostgreSQL: views in a schema of their own, and the role that sees nothing else.

Money is an exact numeric of 8 decimals; `day_at` is the first instant of a trading day at the desk; P&L called `pnl` is
after known charges, `gross_pnl` before. A fill stands as corrections have left it. What a view reads cannot be altered
under it, so migrations and restores take the views away and make them anew: nothing is kept in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction

SCHEMA, ROLE = "grafana", "velox_grafana"

log = structlog.get_logger("database")

_IN_MONEY = re.compile(r"\{([a-z]\.[a-z_]+)\}")

AMENDED = (
    "(SELECT c.body -> 'now' ->> 'FIELD' FROM trading_correction c WHERE c.fill_id = f.id AND c.kind = 'amend' "
    "AND c.body -> 'now' ->> 'FIELD' IS NOT NULL ORDER BY c.id DESC LIMIT 1)"
)
# In the views `{r.pnl}` stands for money as it is shown, kept as whole units of 10^-8; the other marks for these.
MARKS = {
    "{whose}": "a.code AS account, a.currency, s.code AS strategy, {symbol} AS symbol",
    "{of_trade}": "JOIN trading_account a ON a.id = t.account_id JOIN trading_strategy s ON s.id = t.strategy_id "
    "JOIN trading_instrument i ON i.id = t.instrument_id JOIN trading_exchange x ON x.id = i.exchange_id",
    "{symbol}": "CASE WHEN x.code = '{exchange}' THEN i.symbol ELSE x.code || ':' || i.symbol END",
    "{day_at}": "(r.day::timestamp AT TIME ZONE '{zone}')",
    # What the newest amendment of a fill that names a field says of it, as a text.
    **{f"{{amended.{field}}}": AMENDED.replace("FIELD", field) for field in ("at", "price", "quantity")},
}
VIEWS = {
    "accounts": "SELECT a.code AS account, a.currency, a.book FROM trading_account a",
    "exits": """
SELECT {whose}, t.trade_id, r.day, {day_at} AS day_at, r.at, {r.quantity} AS quantity, {r.pnl} AS gross_pnl,
  {r.charges} AS charges, (r.pnl - COALESCE(r.charges, 0)) * 0.00000001 AS pnl, r.closes
FROM trading_realisation r JOIN trading_trade t ON t.id = r.trade_id {of_trade}
""",
    "closed_trades": """
SELECT {whose}, t.trade_id, t.side, r.day, {day_at} AS day_at, t.opened_at, r.at AS closed_at,
  {t.entry_quantity} AS quantity, {t.realised_pnl} AS gross_pnl, {t.charges} AS charges,
  (t.realised_pnl - COALESCE(t.charges, 0)) * 0.00000001 AS pnl, {t.initial_risk} AS initial_risk,
  (t.realised_pnl - COALESCE(t.charges, 0))::numeric / NULLIF(t.initial_risk, 0) AS r_multiple, t.exit_reason
FROM trading_realisation r JOIN trading_trade t ON t.id = r.trade_id {of_trade}
WHERE r.closes AND t.closed_at IS NOT NULL
""",
    "open_positions": """
SELECT {whose}, t.trade_id, t.side, t.opened_at, {t.open_quantity} AS quantity, {t.open_cost} AS cost,
  {t.stop_price} AS stop, {t.target_price} AS target, {t.initial_risk} AS initial_risk,
  {t.realised_pnl} AS gross_pnl
FROM trading_trade t {of_trade} WHERE t.state = 'OPEN'
""",
    "equity_days": """
WITH moves AS (
  SELECT account_id, day, SUM(gross_pnl - charges) AS pnl, 0::numeric AS flow FROM trading_daytotal GROUP BY 1, 2
  UNION ALL SELECT account_id, day, 0::numeric, SUM(amount) FROM trading_capitalflow GROUP BY 1, 2
), days AS (
  SELECT account_id, day, SUM(pnl) AS pnl, SUM(flow) AS flow FROM moves GROUP BY 1, 2
), sums AS (
  SELECT days.*, SUM(pnl) OVER so_far AS earned, SUM(flow) OVER so_far AS brought
  FROM days WINDOW so_far AS (PARTITION BY account_id ORDER BY day)
)
SELECT a.code AS account, a.currency, r.day, {day_at} AS day_at, r.pnl * 0.00000001 AS pnl,
  r.flow * 0.00000001 AS flow, (r.brought + r.earned) * 0.00000001 AS equity,
  (GREATEST(MAX(r.earned) OVER (PARTITION BY r.account_id ORDER BY r.day), 0) - r.earned) * 0.00000001 AS drawdown
FROM sums r JOIN trading_account a ON a.id = r.account_id
""",
    "executions": """
SELECT {whose}, t.trade_id, f.sequence, f.side, f.role,
  COALESCE({amended.at}::timestamptz, f.at) AS at,
  COALESCE({amended.price}::numeric(20, 8), {f.price}) AS price,
  COALESCE({amended.quantity}::numeric(20, 8), {f.quantity}) AS quantity
FROM trading_fill f JOIN trading_trade t ON t.id = f.trade_id {of_trade}
WHERE t.state <> 'VOID'
  AND NOT EXISTS (SELECT 1 FROM trading_correction c WHERE c.fill_id = f.id AND c.kind = 'void')
""",
    "stops": """
SELECT {whose}, t.trade_id, m.at, m.price * 0.00000001 AS price, m.method
FROM (
  SELECT id AS trade_pk, opened_at AS at, initial_stop_price AS price, 'initial' AS method FROM trading_trade
  WHERE initial_stop_price IS NOT NULL
  UNION ALL SELECT trade_id, at, stop_price, method FROM trading_stopchange
) m JOIN trading_trade t ON t.id = m.trade_pk {of_trade} WHERE t.state <> 'VOID'
""",
    "books": """
SELECT a.code AS account, a.currency, a.book,
  (SELECT h.sequence FROM trading_journalhead h WHERE h.account_id = a.id) AS journal_rows,
  (SELECT j.recorded_at FROM trading_journal j WHERE j.account_id = a.id ORDER BY j.sequence DESC LIMIT 1)
    AS recorded_at,
  (SELECT COUNT(*) FROM trading_trade t WHERE t.account_id = a.id AND t.state = 'CLOSED') AS closed_trades,
  (SELECT COUNT(*) FROM trading_trade t WHERE t.account_id = a.id AND t.state = 'OPEN') AS open_trades,
  (SELECT COUNT(*) FROM trading_trade t WHERE t.account_id = a.id AND t.state = 'OPEN' AND t.stop_price IS NULL)
    AS open_without_stop,
  (SELECT COUNT(*) FROM trading_trade t WHERE t.account_id = a.id AND t.state = 'CLOSED' AND t.charges IS NULL)
    AS closed_without_charges,
  (SELECT COUNT(*) FROM trading_trade t WHERE t.account_id = a.id AND t.state = 'VOID') AS void_trades
FROM trading_account a
""",
}


@contextmanager
def views_taken_away() -> Iterator[None]:
    """Drop the views for as long as something alters what they read, and make them anew afterwards, if there were any.

    On SQLite there are none.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [SCHEMA])
        were_there = cursor.fetchone() is not None
        cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    try:
        yield
    finally:
        if were_there:
            try:
                make_views()
            except DatabaseError as error:  # of a ledger that was left between two versions
                log.error("the views for Grafana are gone: `manage.py grafana_role` makes them", error=str(error))


def make_views() -> None:
    """Make schema and views anew in the ledger's PostgreSQL, for the role to read. Raises: DatabaseError."""
    with transaction.atomic(), connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        for statement in _statements():
            cursor.execute(statement)


def _statements() -> Iterator[str]:
    exchange, zone = (name.replace("'", "''") for name in (settings.VELOX_EXCHANGE, settings.TIME_ZONE))
    marks = {**MARKS, "{exchange}": exchange, "{zone}": zone}
    yield f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"
    yield f"CREATE SCHEMA {SCHEMA}"
    for name, text in VIEWS.items():
        query = reduce(lambda query, mark: query.replace(mark, marks[mark]), marks, text)
        yield f"CREATE VIEW {SCHEMA}.{name} AS " + _IN_MONEY.sub(r"\1 * 0.00000001", query)
    yield f"GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE}"
    yield f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {ROLE}"
