"""The reference rows compared with their seals, and the chain of seals itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings

from trading.domain.chain import Body, chain_code
from trading.domain.recount import References
from trading.models import sealing
from trading.proof.chain import CHAIN, HEAD, KEY, Links, PublishedHeads, last_key, loaded, place_after
from trading.proof.rows import DIFFERS, MISSING, UNEXPECTED, Tables, as_stored

SEAL = "trading_seal"
HIDDEN = "kept secret"


@dataclass(slots=True)
class SealedRows:
    """The rows that the seals tell, by table and key, the ledger's identity, and the end of the chain."""

    rows: dict[str, dict[int, Body]] = field(default_factory=dict)
    ledger: str = ""
    count: int = 0
    end: tuple[int, str] = (0, "")
    first_multipliers: dict[int, int] = field(default_factory=dict)  # of instruments that were corrected since

    def accounts(self) -> dict[str, int]:
        """Return the key of each account by its code."""
        return {row["code"]: pk for pk, row in self.rows.get("trading_account", {}).items()}

    def references(self) -> References:
        """Return the keys and multipliers that a recount looks up."""
        zones = {pk: row["zone"] for pk, row in self.rows.get("trading_exchange", {}).items()}
        exchanges = {pk: row["code"] for pk, row in self.rows.get("trading_exchange", {}).items()}
        instruments = self.rows.get("trading_instrument", {})
        return References(
            accounts=self.accounts(),
            strategies={row["code"]: pk for pk, row in self.rows.get("trading_strategy", {}).items()},
            instruments={(exchanges.get(row["exchange_id"], ""), row["symbol"]): pk for pk, row in instruments.items()},
            multipliers={pk: row["multiplier"] for pk, row in instruments.items()},
            first_multipliers=self.first_multipliers,
            exchanges={
                pk: (row["exchange_id"], zones[row["exchange_id"]])
                for pk, row in instruments.items()
                if row["exchange_id"] in zones
            },
            default_exchange=settings.VELOX_EXCHANGE,
        )


def own_key(tables: Tables, key: str | None) -> str | None:
    """Return the key if the first seal was made with it; a lost or other key is one finding, not one per row."""
    if key is None:
        tables.findings.add(KEY, SEAL, None, "journal.key", None, "the key of this ledger: it is lost")
        return None
    first = tables.rows(f"SELECT body, mac, previous_mac FROM {SEAL} ORDER BY sequence LIMIT 2")  # noqa: S608
    # The second link has kept the first one's code: another code in the first is another finding.
    codes = {first[0][1], first[-1][2]} if first else set()
    if not first or codes & {chain_code(key, first[0][2], first[0][0]), chain_code(key, "", first[0][0])}:
        return key
    tables.findings.add(KEY, SEAL, None, "journal.key", "another key", "the key that this ledger was made with")
    return None


def read_seals(tables: Tables, key: str | None, published: PublishedHeads) -> SealedRows:
    """Walk the chain of seals, find what is wrong with its links, and return the rows that it tells."""
    sealed, links, last_pk, newest = SealedRows(), Links(SEAL, key, tables.findings), 0, 0
    add = tables.findings.add
    columns = "id, sequence, body, mac, previous_mac, table_name, recorded_at"
    for pk, stored_at, text, own, previous, table, recorded_at in tables.rows(
        f"SELECT {columns} FROM {SEAL} ORDER BY sequence"  # noqa: S608
    ):
        links.take(pk, text, own, previous)
        sequence = place_after(tables.findings, SEAL, sealed.end[0], pk, stored_at)
        if pk <= last_pk:
            add(DIFFERS, SEAL, pk, "id", pk, f"more than {last_pk}")
        sealed.end, last_pk, newest = (sequence, own), max(pk, last_pk), max(pk, newest)
        sealed.count += 1
        try:
            body = loaded(text)
        except ValueError:
            add(CHAIN, SEAL, pk, "body", text, "a JSON object")
            continue
        for name, key_of_body, stored in (("sequence", "sequence", sequence), ("table_name", "table", table)):
            if body.get(key_of_body) != stored:
                add(DIFFERS, SEAL, pk, name, stored, body.get(key_of_body))
        expected = as_stored(tables.columns(SEAL).encode["recorded_at"], body.get("recorded_at"))
        if recorded_at != expected:
            add(DIFFERS, SEAL, pk, "recorded_at", recorded_at, expected)
        sealed.ledger = body.get("ledger", sealed.ledger)
        sealed_table = str(body.get("table", table))
        if sealed_table == "trading_instrument" and "because" in body:
            # A correction: older journals do not tell what the multiplier was before it.
            before = sealed.rows.get(sealed_table, {})
            for instrument in map(int, body["rows"]):
                if instrument in before:
                    sealed.first_multipliers.setdefault(instrument, before[instrument]["multiplier"])
        sealing.apply(sealed.rows, sealed_table, body)
    newest_heads = published.get("", {}).get(sealed.end[0], {})
    links.settle(next(iter(newest_heads.values()), None))
    if not sealed.count:
        add(MISSING, SEAL, None, None, None, "the seals of the reference rows")
    if newest > (last := last_key(tables, SEAL)):
        add(DIFFERS, SEAL, newest, "id", newest, f"at most {last}")
    return sealed


def compare_references(tables: Tables, sealed: SealedRows, key: str | None) -> int:
    """Compare every reference row with its last seal; return how many were compared."""
    count = 0
    # Without the key nobody can tell what a secret was.
    leave_out = sealing.SECRET if key is None else set()
    for table in sealing.TABLES:
        expected, strays = dict(sealed.rows.get(table, {})), []
        for stored in sealing.read(tables.connection, table):
            count += 1
            as_sealed, row = sealing.sealed_form(table, stored, key or "none"), expected.pop(stored["id"], None)
            if row is None:
                strays.append(as_sealed)
            elif row != as_sealed:
                for name in sorted(row.keys() & as_sealed.keys()):
                    if as_sealed[name] != row[name] and (table, name) not in leave_out:
                        is_secret = (table, name) in sealing.SECRET
                        cells = (HIDDEN, f"{HIDDEN}, but another") if is_secret else (as_sealed[name], row[name])
                        tables.findings.add(DIFFERS, table, as_sealed["id"], name, *cells)
                for name in row.keys() - as_sealed.keys():
                    tables.findings.add(MISSING, table, as_sealed["id"], name, None, row[name])
        for stray in strays:  # one that is like a missing row but for its key is that row, with the key changed
            moved = next((pk for pk, row in expected.items() if {**row, "id": 0} == {**stray, "id": 0}), None)
            if moved is None:
                tables.findings.add(UNEXPECTED, table, stray["id"], None, _without_secrets(table, stray), None)
            else:
                tables.findings.add(DIFFERS, table, stray["id"], "id", stray["id"], expected.pop(moved)["id"])
        for pk, row in expected.items():
            tables.findings.add(MISSING, table, pk, None, None, _without_secrets(table, row))
    return count


def check_heads(tables: Tables, sealed: SealedRows, published: PublishedHeads) -> None:
    """Compare the chain of seals with its heads as they were published."""
    by_sequence = published.get("", {})
    macs: dict[int, str] = dict(tables.rows(f"SELECT sequence, mac FROM {SEAL}")) if by_sequence else {}  # noqa: S608
    for sequence, heads in by_sequence.items():
        for source, head in heads.items():
            if macs.get(sequence) != head:
                name = f"mac, published in {source}"
                tables.findings.add(HEAD, SEAL, None, name, macs.get(sequence), f"{sequence} {head}")


def _without_secrets(table: str, row: Body) -> Body:
    return {name: HIDDEN if (table, name) in sealing.SECRET else cell for name, cell in row.items()}
