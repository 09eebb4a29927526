"""Ledger calls on PostgreSQL whose commits a standby must have, against the same on a server without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy

from django.core.management import call_command
from django.db import connections

from bench.harness import Pair, Row, Skipped
from bench.ledger import ours
from tests.postgres_node import Node, nodes
from tests.with_postgres import postgres_programs
from velox_site import server_urls

DURABLE = "-c jit=off"  # and all else as PostgreSQL has it: each commit is on disk before it is answered
ALONE, FOLLOWED = "alone", "followed"


@contextmanager
def prepare_standby() -> Iterator[Pair | Skipped]:
    programs = postgres_programs()
    if programs is None:
        yield Skipped("PostgreSQL is not installed")
        return
    with nodes(programs, 3, DURABLE, in_memory=False) as (alone, primary, standby), ExitStack() as stack:
        for name, node in ((ALONE, alone), (FOLLOWED, primary)):
            stack.enter_context(made(name, node))
        standby.copy(primary)
        standby.follow(primary, must_have=True)
        numbers = iter(range(10**9))
        yield Pair(lambda: booked(FOLLOWED, numbers), lambda: booked(ALONE, numbers))


def booked(name: str, numbers: Iterator[int]) -> int:
    """Open and close trades on one of the servers, each call in a confirmed transaction."""
    with ledger_on(name):
        return ours(numbers)


@contextmanager
def made(name: str, node: Node) -> Iterator[None]:
    """A server with a migrated ledger."""
    node.make()
    node.start()
    node.ask("CREATE DATABASE velox")
    database = deepcopy(connections.databases["default"])
    database.update(server_urls.database(node.url_of("velox")))
    database["OPTIONS"] = {"connect_timeout": 2, "options": "-c synchronous_commit=local"}
    connections.databases[name] = database
    try:
        with ledger_on(name):
            call_command("migrate", verbosity=0)
        yield
    finally:
        connections[name].close()
        del connections[name], connections.databases[name]


@contextmanager
def ledger_on(name: str) -> Iterator[None]:
    """Let the ledger be the one on this server."""
    before = connections["default"]
    connections["default"] = connections[name]
    try:
        yield
    finally:
        connections["default"] = before


ROWS = [
    Row(
        "standby",
        "a trade opened and closed on PostgreSQL with a synchronous standby, against one without",
        prepare_standby,
        mark=0.5,
        stretch=0.8,
        unit="trades per second",
    ),
]
