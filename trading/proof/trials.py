"""The chain of the lab's trials: nothing missing, nothing changed, nothing cut off behind a published head."""

from __future__ import annotations

from trading import heads
from trading.proof.chain import BATCH, HEAD, NAMED_MAX, Links, PublishedHeads
from trading.proof.rows import MISSING, Tables

TRIAL = "lab_trial"


def compare_trials(tables: Tables, key: str | None, published: PublishedHeads) -> dict[str, int]:
    """Find what is wrong with the registry's chain; return how many rows it has."""
    findings, ends = tables.findings, dict(published.get(heads.TRIALS, {}))
    links, last, rows_walked = Links(TRIAL, key, findings), 0, 0
    sql = (
        f"SELECT id, sequence, body, mac, previous_mac FROM {TRIAL} WHERE sequence > %s ORDER BY sequence LIMIT {BATCH}"  # noqa: S608
    )
    while rows := tables.rows(sql, last):
        for pk, sequence, body, mac, previous in rows:
            for number in range(last + 1, min(sequence, last + 1 + NAMED_MAX)):
                findings.add(MISSING, TRIAL, None, "sequence", None, number)
            links.take(pk, body, mac, previous)
            last = sequence
            for source, head in ends.pop(sequence, {}).items():
                if head != mac:
                    findings.add(HEAD, TRIAL, pk, f"mac, published in {source}", mac, head)
        rows_walked += len(rows)
    links.settle(None)
    for number in sorted(ends)[-NAMED_MAX:]:
        for source, head in ends[number].items():
            findings.add(HEAD, TRIAL, None, f"sequence, published in {source}", last, f"{number} {head}")
    return {TRIAL: rows_walked}
