"""Imported files, their fills and what persons decided of them, compared with what the journal tells."""

from __future__ import annotations

from trading.domain.chain import Body
from trading.domain.recount import units
from trading.progress import Progress
from trading.proof.chain import CHAIN, JOURNAL, Index, loaded
from trading.proof.rows import Tables

FILE, FILL, COST = "trading_brokerfile", "trading_brokerfill", "trading_holdingcost"
ACTION, DECISION = "trading_corporateaction", "trading_actiondecision"
MONEY = ("quantity", "price", "charges")
RATIO = ("new", "old", "quantity")
BATCH = 20  # rows of the journal, each with some hundred fills


def compare_imports(tables: Tables, index: Index, progress: Progress) -> dict[str, int]:
    """Find what differs in the rows of imported files and fills; return how many rows of each table.

    Fills are compared by ranges of their keys, so that no more than some batches of them are in memory.
    """
    others: dict[str, list[Body]] = {FILE: [], COST: [], ACTION: [], DECISION: []}
    counts, low, total = {FILL: 0}, None, len(index.imports)
    by_row = sorted(index.imports)  # of all accounts: the keys of fills ascend in the order in which they were written
    for start in range(0, max(1, total), BATCH):
        batch = by_row[start : start + BATCH]
        fills = _expected(tables, batch, others)
        is_last = start + BATCH >= total
        high = None if is_last else max((fill["id"] for fill in fills), default=low)
        if is_last or high != low:
            counts[FILL] += tables.compare(FILL, fills, tables.between(FILL, "id", low, high))
        low = high
        progress("imports", min(start + BATCH, total), total)
    for table, expected in others.items():
        counts[table] = tables.compare(table, expected, tables.between(table, "id", None, None))
    return counts


def _expected(tables: Tables, batch: list[tuple[int, int]], others: dict[str, list[Body]]) -> list[Body]:
    """Return the fills that these rows of the journal (row, account) tell, and add what else they tell to ``others``,
    by table."""
    sql = f"SELECT id, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
    bodies: dict[int, str] = dict(tables.in_batches(sql, [row for row, _ in batch]))
    fills: list[Body] = []
    for row, account in batch:
        body = loaded(bodies[row])
        common = {"account_id": account, "recorded_at": body["recorded_at"]}
        try:
            if "file" in body:
                others[FILE].append(body["file"] | common | {"recorded_by": body["by"]})
            if "cost" in body:
                cost = body["cost"] | common | {"price": units(body["cost"]["price"]), "author": body["by"]}
                others[COST].append(cost)
            others[ACTION] += [_in_units(cells | common, RATIO) for cells in body.get("actions", ())]
            if "decision" in body:
                others[DECISION].append(body["decision"] | common | {"author": body["by"]})
            fills += [_in_units(cells | common, MONEY) for cells in body.get("fills", ())]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"an import cannot be counted from it: {type(error).__name__} {error}"
            tables.findings.add(CHAIN, JOURNAL, row, "body", reason, "what the operation wrote")
    return fills


def _in_units(cells: Body, names: tuple[str, ...]) -> Body:
    return cells | {name: units(cells[name]) for name in names}
