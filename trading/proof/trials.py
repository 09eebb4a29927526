"""The chain of the lab's trials: nothing missing, nothing changed, nothing cut off behind a published head."""

from __future__ import annotations

from trading import heads
from trading.proof.chain import BATCH, HEAD, NAMED_MAX, Links, PublishedHeads, place_after
from trading.proof.rows import Tables

TRIAL = "lab_trial"


def compare_trials(tables: Tables, key: str | None, published: PublishedHeads) -> dict[str, int]:
    """Find what is wrong with the registry's chain; return how many rows it has."""
    findings, ends = tables.findings, dict(published.get(heads.TRIALS, {}))
    links, last, rows_walked = Links(TRIAL, key, findings), 0, 0
    sql = (
        f"SELECT id, sequence, body, mac, previous_mac FROM {TRIAL} WHERE sequence > %s ORDER BY sequence LIMIT {BATCH}"  # noqa: S608
    )
    after = 0
    while rows := tables.rows(sql, after):
        for pk, sequence, body, mac, previous in rows:
            last = place_after(findings, TRIAL, last, pk, sequence)
            links.take(pk, body, mac, previous)
            for source, head in ends.pop(last, {}).items():
                if head != mac:
                    findings.add(HEAD, TRIAL, pk, f"mac, published in {source}", mac, head)
        rows_walked, after = rows_walked + len(rows), rows[-1][1]
    links.settle(None)
    for number in sorted(ends)[-NAMED_MAX:]:
        for source, head in ends[number].items():
            findings.add(HEAD, TRIAL, None, f"sequence, published in {source}", last, f"{number} {head}")
    return {TRIAL: rows_walked}
