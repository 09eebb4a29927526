"""The reference rows beside their seals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from trading.domain.chain import chain_code
from trading.domain.recount import References
from trading.models import sealing
from trading.proof.chain import CHAIN, HEAD, Links, Published, last_key, loaded
from trading.proof.rows import DIFFERS, MISSING, UNEXPECTED, Tables

SEAL = "trading_seal"
HIDDEN = "kept secret"


@dataclass(slots=True)
class SealedRows:
    """What the seals tell: the rows by table and key, the ledger's identity, where the chain ends."""

    rows: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    ledger: str = ""
    count: int = 0
    end: tuple[int, str] = (0, "")
    first_multipliers: dict[int, int] = field(default_factory=dict)  # before anybody put them right

    def accounts(self) -> dict[str, int]:
        return {row["code"]: pk for pk, row in self.rows.get("trading_account", {}).items()}

    def references(self) -> References:
        exchanges = {pk: row["code"] for pk, row in self.rows.get("trading_exchange", {}).items()}
        instruments = self.rows.get("trading_instrument", {})
        return References(
            accounts=self.accounts(),
            strategies={row["code"]: pk for pk, row in self.rows.get("trading_strategy", {}).items()},
            instruments={(exchanges.get(row["exchange_id"], ""), row["symbol"]): pk for pk, row in instruments.items()},
            multipliers={pk: row["multiplier"] for pk, row in instruments.items()},
            first_multipliers=self.first_multipliers,
            default_exchange=settings.VELOX_EXCHANGE,
        )


def is_by(key: str, tables: Tables) -> bool:
    """Tell whether the first seal was made with this key."""
    first = tables.rows(f"SELECT body, mac, previous_mac FROM {SEAL} ORDER BY sequence LIMIT 2")  # noqa: S608
    # The second link has kept the first one's code: another code in the first is another finding.
    known = {first[0][1], first[-1][2]} if first else set()
    return not first or bool(known & {chain_code(key, first[0][2], first[0][0]), chain_code(key, "", first[0][0])})


def read_seals(tables: Tables, key: str | None, published: Published) -> SealedRows:
    """Walk the chain of seals and return what it tells; what is wrong with a link is found."""
    sealed, links, last_pk, newest = SealedRows(), Links(SEAL, key, tables.findings), 0, 0
    add = tables.findings.add
    columns = "id, sequence, body, mac, previous_mac, table_name, recorded_at"
    for pk, sequence, text, own, previous, table, recorded_at in tables.rows(
        f"SELECT {columns} FROM {SEAL} ORDER BY sequence"  # noqa: S608
    ):
        links.take(pk, text, own, previous)
        for number in range(sealed.end[0] + 1, sequence):
            add(MISSING, SEAL, None, "sequence", None, number)
        if pk <= last_pk:
            add(DIFFERS, SEAL, pk, "id", pk, f"more than {last_pk}")
        sealed.end, last_pk, newest = (sequence, own), max(pk, last_pk), max(pk, newest)
        sealed.count += 1
        try:
            body = loaded(text)
        except ValueError:
            add(CHAIN, SEAL, pk, "body", text, "a JSON object")
            continue
        said = {"sequence": sequence, "table": table}
        for name, stored in said.items():
            if body.get(name) != stored:
                add(DIFFERS, SEAL, pk, "table_name" if name == "table" else name, stored, body.get(name))
        expected = tables.shape(SEAL).encode["recorded_at"](body.get("recorded_at", " " * 27))
        if recorded_at != expected:
            add(DIFFERS, SEAL, pk, "recorded_at", recorded_at, expected)
        sealed.ledger = body.get("ledger", sealed.ledger)
        _note_multipliers(sealed, str(body.get("table", table)), body)
        sealing.apply(sealed.rows, str(body.get("table", table)), body)
    newest_told = published.get("", {}).get(sealed.end[0], {})
    links.settle(next(iter(newest_told.values()), None))
    if not sealed.count:
        add(MISSING, SEAL, None, None, None, "the seals of the reference rows")
    if newest > (given := last_key(tables, SEAL)):
        add(DIFFERS, SEAL, newest, "id", newest, f"at most {given}")
    return sealed


def _note_multipliers(sealed: SealedRows, table: str, body: dict[str, Any]) -> None:
    """Keep what an instrument's multiplier was before its first correction: older journals do not tell it."""
    if table == "trading_instrument" and "because" in body:
        before = sealed.rows.get(table, {})
        for key in map(int, body["rows"]):
            if key in before:
                sealed.first_multipliers.setdefault(key, before[key]["multiplier"])


def compare_references(tables: Tables, sealed: SealedRows, key: str | None) -> int:
    """Compare every reference row with its last seal; return how many were compared."""
    count = 0
    # Without the key nobody can tell what a secret was.
    leave_out = sealing.SECRET if key is None else set()
    for table in sealing.TABLES:
        expected, strays = dict(sealed.rows.get(table, {})), []
        for stored in sealing.read(tables.connection, table):
            count += 1
            known, row = sealing.told(table, stored, key or "none"), expected.pop(stored["id"], None)
            if row is None:
                strays.append(known)
            else:
                _compare(tables, table, known, row, leave_out=leave_out)
        _moved(tables, table, strays, expected)
    return count


def _moved(tables: Tables, table: str, strays: list[dict[str, Any]], expected: dict[int, dict[str, Any]]) -> None:
    """Name rows that are missing or too many; where one is like the other, its key was changed."""
    for stored in strays:
        pk = next((pk for pk, row in expected.items() if {**row, "id": 0} == {**stored, "id": 0}), None)
        if pk is None:
            tables.findings.add(UNEXPECTED, table, stored["id"], None, _without_secrets(table, stored), None)
        else:
            tables.findings.add(DIFFERS, table, stored["id"], "id", stored["id"], expected.pop(pk)["id"])
    for pk, row in expected.items():
        tables.findings.add(MISSING, table, pk, None, None, _without_secrets(table, row))


def check_heads(tables: Tables, sealed: SealedRows, published: Published) -> None:
    """Compare the chain of seals with its heads as they were published."""
    told = published.get("", {})
    macs = dict(tables.rows(f"SELECT sequence, mac FROM {SEAL}")) if told else {}  # noqa: S608
    for sequence, heads in told.items():
        for source, head in heads.items():
            if macs.get(sequence) != head:
                name = f"mac, published in {source}"
                tables.findings.add(HEAD, SEAL, None, name, macs.get(sequence), f"{sequence} {head}")


def _compare(
    tables: Tables, table: str, stored: dict[str, Any], row: dict[str, Any], *, leave_out: set[tuple[str, str]]
) -> None:
    for name in sorted(row.keys() & stored.keys()):
        if stored[name] != row[name] and (table, name) not in leave_out:
            is_secret = (table, name) in sealing.SECRET
            values = (HIDDEN, f"{HIDDEN}, but another") if is_secret else (stored[name], row[name])
            tables.findings.add(DIFFERS, table, stored["id"], name, *values)
    for name in row.keys() - stored.keys():
        tables.findings.add(MISSING, table, stored["id"], name, None, row[name])


def _without_secrets(table: str, row: dict[str, Any]) -> dict[str, Any]:
    return {name: HIDDEN if (table, name) in sealing.SECRET else value for name, value in row.items()}
