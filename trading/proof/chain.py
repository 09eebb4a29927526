"""The journal's chains, checked row by row: nothing missing, nothing changed, every published head in its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import orjson

from trading.domain.chain import Body, chain_code
from trading.domain.recount import OPERATIONS
from trading.proof.entries import Entries
from trading.proof.rows import DIFFERS, MISSING, UNEXPECTED, Encoder, Findings, StoredCell, Tables, as_stored

JOURNAL = "trading_journal"
CHAIN, HEAD, KEY = "chain", "head", "key"
BATCH = 1000
NAMED_MAX = 100  # so many rows of one gap are named
NUMBER_END = 2**63 - 1  # SQLite puts a text in the place of a number behind every number
# Operations that are no trade's: what they wrote is sealed, or compared with what `Index` collects.
OTHERS = {"record_signal", "publish_daily_summary", "create_account", "add_capital", "clear_account"}
OF_IMPORTS = {"import_file", "import_fills", "give_cost", "propose_actions", "decide_action"}
OTHERS |= OF_IMPORTS
OTHERS |= {"state_charges", "set_brokerage_plan", "write_day_note"}
OTHERS |= {"add_screenshot", "withdraw_screenshot"}
OTHERS |= {"set_limit"}
OTHERS |= {"record_breaks", "approve_breaks"}
OTHERS |= {"make_token", "revoke_token"}
COLLECTED = {  # operations whose rows a field of `Index` has
    "publish_daily_summary": "summaries",
    "state_charges": "charges",
    "write_day_note": "notes",
    "set_limit": "limits",
    **dict.fromkeys(OF_IMPORTS, "imports"),
    **dict.fromkeys(("add_screenshot", "withdraw_screenshot"), "screenshots"),
    **dict.fromkeys(("record_breaks", "approve_breaks"), "breaks"),
    **dict.fromkeys(("make_token", "revoke_token"), "tokens"),
}
SELDOM = {"flip", "second_rows", "fill_key", "fills", "day_totals"}  # in a body that tells of a trade
PublishedHeads = dict[str, dict[int, dict[str, str]]]  # chain to sequence to source to head


class JournalRow(NamedTuple):
    """One row as it is stored; ``recorded_at`` as its database keeps instants."""

    pk: int
    sequence: int
    operation: str
    text: str
    mac: str
    previous_mac: str
    recorded_at: str | datetime
    recorded_by: str


class ChainPlace(NamedTuple):
    """A row of a chain from which a walk goes on: its key, sequence and code, and when it was recorded."""

    pk: int
    sequence: int
    mac: str
    recorded_at: str | datetime | None


class Links:
    """The links of one chain, whose codes are checked in order; one that does not fit is judged by its successor."""

    def __init__(self, table: str, key: str | None, findings: Findings, mac: str = "") -> None:
        self.table, self.key, self.findings, self.mac = table, key, findings, mac
        self.is_whole = True  # as far as it was followed
        self._doubted: tuple[int, str, str] | None = None

    def take(self, pk: int, body: str, own: str, previous: str) -> None:
        """Check the next link: its text, its own code, and the code that it names as its predecessor's."""
        if self._doubted is not None:
            self.settle(previous)
        if self.key is not None and previous == self.mac and own == chain_code(self.key, previous, body):
            self.mac = own
            return
        if previous != self.mac:
            self.findings.add(CHAIN, self.table, pk, "previous_mac", previous, self.mac)
        if self.key is not None:
            computed = [chain_code(self.key, before, body) for before in dict.fromkeys((self.mac, previous))]
            if own not in computed:
                self._doubted = (pk, own, computed[0])
        self.mac = own

    def follow(self, _pk: int, _body: str, own: str, previous: str) -> None:
        """Note whether the next link names its predecessor's code; its own is computed elsewhere."""
        self.is_whole &= previous == self.mac
        self.mac = own

    def settle(self, following: str | None) -> None:
        """Name the link in doubt, now that its successor (or the chain's head) says by which code it knew it."""
        if self._doubted is None:
            return
        pk, own, computed = self._doubted
        self._doubted = None
        if following == computed:
            self.findings.add(CHAIN, self.table, pk, "mac", own, computed)
            self.mac = computed
        else:
            self.findings.add(CHAIN, self.table, pk, "body", f"its code is {computed}", f"its code was {own}")


@dataclass(slots=True)
class Index:
    """The journal's rows by what they tell of: keys of rows, so that bodies need not stay in memory."""

    trades: Entries
    signals: list[tuple[int | None, int, int]] = field(default_factory=list)  # signal, journal row, account
    signal_trades: dict[int, int] = field(default_factory=dict)
    summaries: list[tuple[int, int]] = field(default_factory=list)  # journal row, account
    imports: list[tuple[int, int]] = field(default_factory=list)  # journal row, account
    charges: list[tuple[int, int]] = field(default_factory=list)  # journal row, account
    breaks: list[tuple[int, int]] = field(default_factory=list)  # journal row, account: those that tell of breaks
    notes: list[tuple[int, int]] = field(default_factory=list)  # journal row, account
    screenshots: list[tuple[int, int]] = field(default_factory=list)  # journal row, account
    tokens: list[tuple[int, int]] = field(default_factory=list)  # journal row, account
    limits: list[tuple[int, int]] = field(default_factory=list)  # journal row, account
    day_totals: dict[tuple[int, int, int, str], int] = field(default_factory=dict)  # account, ..., day: the last key
    clears: dict[str, tuple[int, str]] = field(default_factory=dict)
    second_rows: set[tuple[int, int]] = field(default_factory=set)  # trade, sequence: of fills that stand in two
    moved_keys: set[tuple[int, str]] = field(default_factory=set)  # fill, day: whose key points to another fill now
    recent: set[int] = field(default_factory=set)  # trades that an operation touched since a day


CodesOf = Callable[[str, int], "Future[int | None]"]  # of key and account: the number of rows whose codes are right


class OpenEnd(NamedTuple):
    """The end of an account's chain, walked from the code ``begun_at`` on; ``codes`` is None where those of its
    ``length`` rows were computed on the way."""

    account: int
    code: str
    begun_at: str
    sequence: int
    length: int
    links: Links
    codes: Future[int | None] | None


@dataclass(slots=True)
class ChainWalk:
    """The walk along the chains of all accounts."""

    tables: Tables
    key: str | None
    published: PublishedHeads
    since: str | None
    index: Index  # to be filled
    tick: Callable[[int], None]  # with the number of rows walked so far
    codes_of: CodesOf | None = None  # computes the codes of an account's rows elsewhere, meanwhile
    ends: dict[str, tuple[int, str]] = field(default_factory=dict)
    count: int = 0
    _newest_pk: int | None = None
    _open_ends: list[OpenEnd] = field(default_factory=list)
    _instant: Encoder = field(init=False)

    def __post_init__(self) -> None:
        self._instant = self.tables.columns(JOURNAL).encode["recorded_at"]

    @property
    def findings(self) -> Findings:
        """The differences so far."""
        return self.tables.findings

    def account(self, pk: int, code: str, after: ChainPlace | None = None) -> None:
        """Check one account's chain from its start, from where it was cleared, or ``after`` a place of it."""
        sequence, mac = self.index.clears.get(code, (0, "")) if after is None else (after.sequence, after.mac)
        begun_at, last_pk, count = sequence, 0 if after is None else after.pk, self.count
        codes = self.codes_of(self.key, pk) if self.codes_of and self.key is not None and after is None else None
        links = Links(JOURNAL, self.key, self.findings, mac)
        take = links.take if codes is None else links.follow
        heads = dict(self.published.get(code, {}))
        if after is not None:
            heads = {number: head for number, head in heads.items() if number > begun_at}
        for row in self._rows(pk, None if after is None else begun_at):
            before = sequence
            row_pk, sequence, _, text, mac_of_row, previous, _, _ = row
            if sequence != before + 1:
                sequence = place_after(self.findings, JOURNAL, before, row_pk, sequence)
            if row_pk > last_pk:
                last_pk = row_pk
            else:
                self.findings.add(DIFFERS, JOURNAL, row_pk, "id", row_pk, f"more than {last_pk}")
            take(row_pk, str(text), mac_of_row, previous)
            self._row(row, pk, code)
            if sequence in heads:
                for source, head in heads.pop(sequence).items():
                    if head != mac_of_row:
                        self.findings.add(HEAD, JOURNAL, row_pk, f"mac, published in {source}", mac_of_row, head)
        ahead = sorted(number for number in heads if number > begun_at)
        for number in ahead[-NAMED_MAX:]:
            for source, head in heads[number].items():
                self.findings.add(HEAD, JOURNAL, None, f"sequence, published in {source}", sequence, f"{number} {head}")
        if last_pk:
            self._newest_pk = max(self._newest_pk or 0, last_pk)
        self._open_ends.append(OpenEnd(pk, code, mac, sequence, self.count - count, links, codes))
        if codes is None:
            self.close_ends()

    def close_ends(self) -> None:
        """Compare the ends of the chains with their heads, once the codes of their rows are known to be right."""
        for end in self._open_ends:
            links = end.links
            if end.codes is not None and not (links.is_whole and end.codes.result() == end.length):
                links = Links(JOURNAL, self.key, self.findings, end.begun_at)
                for rows in journal_rows(self.tables, end.account, None):
                    for row in rows:
                        links.take(row.pk, str(row.text), row.mac, row.previous_mac)
            self._end(end.account, end.sequence, links)
            self.ends[end.code] = (end.sequence, links.mac)
        self._open_ends.clear()

    def strays(self, accounts: dict[str, int]) -> None:
        """Name rows of accounts that nobody knows, and those whose key the table has never given out."""
        keys = ", ".join(str(int(pk)) for pk in accounts.values())
        for pk, account in self.tables.rows(
            f"SELECT id, account_id FROM {JOURNAL} WHERE account_id NOT IN ({keys})"  # noqa: S608
        ):
            self.findings.add(UNEXPECTED, JOURNAL, pk, "account_id", account, None)
        if self._newest_pk is not None and (last := last_key(self.tables, JOURNAL)) < self._newest_pk:
            self.findings.add(DIFFERS, JOURNAL, self._newest_pk, "id", self._newest_pk, f"at most {last}")

    def _rows(self, account: int, after: int | None) -> Iterator[JournalRow]:
        for rows in journal_rows(self.tables, account, after):
            yield from rows
            self.count += len(rows)
            self.tick(self.count)

    def check(self, row: JournalRow, code: str) -> None:
        """Check by itself the row from which an account's chain is walked on: its code, and its columns."""
        links = Links(JOURNAL, self.key, self.findings, row.previous_mac)
        links.take(row.pk, str(row.text), row.mac, row.previous_mac)
        links.settle(row.mac)
        self._body(row, code)

    def _row(self, row: JournalRow, account: int, code: str) -> None:
        """Compare a row's columns with its body, and note what the body tells of."""
        if (body := self._body(row, code)) is not None:
            self.collect(body, row.pk, account)

    def _body(self, row: JournalRow, code: str) -> Body | None:
        """Return a row's body, with which its columns are compared; None where it is none."""
        pk, sequence, operation, text, _, _, recorded_at, recorded_by = row
        try:
            body = loaded(text)
        except ValueError:
            self.findings.add(CHAIN, JOURNAL, pk, "body", text, "a JSON object")
            return None
        get = body.get
        at = as_stored(self._instant, get("recorded_at"))
        of_body = (get("account"), get("sequence"), get("op"), get("by"), at)
        if of_body != (code, sequence, operation, recorded_by, recorded_at):
            self._differing(row, code, body, at)
        return body

    def _differing(self, row: JournalRow, code: str, body: Body, at: StoredCell) -> None:
        """Name each column of a row that its body tells otherwise; ``at`` is when it was recorded, by its body."""
        columns = (
            ("account_id", code, body.get("account")),
            ("sequence", row.sequence, body.get("sequence")),
            ("operation", row.operation, body.get("op")),
            ("recorded_by", row.recorded_by, body.get("by")),
            ("recorded_at", row.recorded_at, at),
        )
        for name, stored, expected in columns:
            if stored != expected:
                self.findings.add(DIFFERS, JOURNAL, row.pk, name, stored, expected)

    def collect(self, body: Body, pk: int, account: int) -> None:
        """Add the keys that a body tells to the index."""
        operation, trade = body.get("op"), body.get("trade")
        is_of_trade = operation in OPERATIONS
        if not is_of_trade and operation not in OTHERS:
            self.findings.add(CHAIN, JOURNAL, pk, "operation", operation, "an operation that this code knows")
            return
        if is_of_trade and isinstance(trade, dict):
            self.index.trades.add(trade["pk"], pk, account)
            if "day_total_pk" in body:
                key = (account, trade["strategy_pk"], trade["instrument_pk"], body["day"]["day"])
                self.index.day_totals[key] = body["day_total_pk"]
            if not SELDOM.isdisjoint(body):
                parts = [*([1] if "from" in body.get("flip", ()) else ()), *body.get("second_rows", ())]
                self.index.second_rows |= {(trade["pk"], sequence) for sequence in parts}
                keys = [booked.get("fill_key", {}) for booked in (body, *body.get("fills", ()))]
                self.index.moved_keys |= {(moved["from"], moved["day"]) for moved in keys if "from" in moved}
                for total in body.get("day_totals", ()):
                    key = (account, total["strategy_pk"], trade["instrument_pk"], total["day"])
                    self.index.day_totals[key] = total["pk"]
            if self.since is not None and body["recorded_at"] >= self.since:
                self.index.recent.add(trade["pk"])
        if "signal" in body:
            self.index.signals.append((body.get("signal_pk"), pk, account))
        if "signal_taken" in body and isinstance(trade, dict):
            self.index.signal_trades[body["signal_taken"]] = trade["pk"]
        if operation in COLLECTED:
            rows: list[tuple[int, int]] = getattr(self.index, COLLECTED[operation])
            rows.append((pk, account))
        if "cleared" in body:
            self.index.clears[body["cleared"]] = (body["last_sequence"], body["last_head"])

    def _end(self, account: int, sequence: int, links: Links) -> None:
        table = "trading_journalhead"
        sql = f"SELECT id, sequence, mac FROM {table} WHERE account_id = %s"  # noqa: S608
        heads = self.tables.rows(sql, account)
        links.settle(heads[0][2] if heads else None)
        for pk, stored, stored_mac in heads:
            name_gap(self.findings, JOURNAL, sequence, stored + 1 if isinstance(stored, int) else 0)
            for name, cell, expected in (("sequence", stored, sequence), ("mac", stored_mac, links.mac)):
                if cell != expected:
                    self.findings.add(DIFFERS, table, pk, name, cell, expected)


def place_after(findings: Findings, table: str, before: int, pk: int, sequence: StoredCell) -> int:
    """Return the place in its chain of the row that comes next; what is no number there is a finding, and counts as
    the next one."""
    if not isinstance(sequence, int):  # SQLite takes a text in a number's place
        findings.add(DIFFERS, table, pk, "sequence", sequence, before + 1)
        return before + 1
    name_gap(findings, table, before, sequence)
    return sequence


def name_gap(findings: Findings, table: str, before: int, sequence: int) -> None:
    """Name the rows that a chain lacks between two, of many the first ones."""
    for number in range(before + 1, min(sequence, before + 1 + NAMED_MAX)):
        findings.add(MISSING, table, None, "sequence", None, number)


def journal_rows(tables: Tables, account: int, after: int | None) -> Iterator[list[JournalRow]]:
    """Yield the rows of an account's journal in their order, many at a time; ``after`` a sequence, None: all."""
    while True:
        where, parameters = ("", ()) if after is None else (" AND sequence > %s", (after,))
        stored = tables.rows(
            "SELECT id, sequence, operation, body, mac, previous_mac, recorded_at, recorded_by "  # noqa: S608
            f"FROM {JOURNAL} WHERE account_id = %s{where} ORDER BY sequence LIMIT {BATCH}",
            *(account, *parameters),
        )
        yield [JournalRow._make(row) for row in stored]
        if len(stored) < BATCH:
            return
        after = stored[-1][1]


def loaded(text: str) -> Body:
    """Return a body from its text; the fast decoder refuses integers beyond 64 bits, which conditions may have.

    Raises: ValueError where it is no JSON object.
    """
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        body = json.loads(text)
    if not isinstance(body, dict):
        raise ValueError("no object")
    return body


def last_key(tables: Tables, table: str) -> int:
    """Return the last key that the database has given to a row of a table."""
    if tables.connection.vendor == "sqlite":
        sql, names = "SELECT seq FROM sqlite_sequence WHERE name = %s", (table,)
    else:
        sql, names = "SELECT last_value FROM pg_sequences WHERE sequencename = %s", (f"{table}_id_seq",)
    rows = tables.rows(sql, *names)
    return int(rows[0][0] or 0) if rows else 0
