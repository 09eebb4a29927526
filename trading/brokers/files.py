"""A broker's file read to its statement: opened, recognised, read whole, its times put into a zone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from trading.brokers.containers.opening import open_document, open_head
from trading.brokers.document import Document
from trading.brokers.format import Format
from trading.brokers.formats import by_code, must_match, recognise
from trading.brokers.mapped_file import MappedFormat, shipped_formats
from trading.brokers.mapping import parse_mapping
from trading.brokers.values import Broker, Statement
from trading.brokers.zones import needs_zone, with_zone
from trading.errors import InvalidValue, UnknownLayout, UnreadableFile

CONTENT = ("fills", "charges", "bills", "positions", "notes", "actions", "estimates")


def mapped(text: str, name: str) -> Format:
    """Return the format of a mapping file's text. Raises: InvalidValue."""
    return MappedFormat(parse_mapping(text, name))


def read_statement(
    content: bytes,
    name: str,
    *,
    password: str | None = None,
    mappings: Sequence[Format] = (),
    layout: str | None = None,
    broker: str | None = None,
    zone: str | None = None,
) -> Statement:
    """Return what a broker's file says. ``password`` opens a locked note and is kept nowhere.

    ``mappings`` are formats of a person's own, asked before those that come with VELOX; ``layout`` names the format
    where it is not to be recognised; ``broker`` is the broker that the file is said to be of; ``zone`` is that of
    clock times where the file names none.

    Raises: UnknownLayout, UnreadableFile, FileLocked, InvalidValue.
    """
    form = _format_of(open_head(content, name, password=password), layout, mappings)
    document = open_document(content, name, password=password)
    statement = form.read(document)
    if broker is not None and form.BROKER is not Broker.OTHER and form.BROKER.value != broker:
        raise UnknownLayout(f"{name} is of {form.BROKER.value} ({form.NAME}), not of {broker}.", field="broker")
    if broker is not None and form.BROKER is Broker.OTHER:
        statement = replace(statement, broker=_broker(broker))
    if zone is not None:
        statement = with_zone(statement, zone)
    if needs_zone(statement):
        raise InvalidValue(
            f"{name} has clock times and names no zone.",
            field="zone",
            hint="State the zone of the account there: --zone America/New_York.",
        )
    if not statement.is_empty and not statement.rejected and not any(getattr(statement, field) for field in CONTENT):
        raise UnreadableFile(
            f"{name} is a {form.NAME}, and nothing in it could be taken{_reason(statement)}.",
            hint="It does not say that it is empty: nothing was booked. Ask the broker for the file anew.",
        )
    return statement


def _format_of(head: Document, layout: str | None, mappings: Sequence[Format]) -> Format:
    """Return the format of a head: that which a person names, or the one that fits. A person's own mapping comes before
    those that come with VELOX."""
    if layout is None:
        own = [each for each in mappings if each.matches(head)]
        return recognise(head, own or shipped_formats())
    form = by_code(layout, [*mappings, *shipped_formats()])
    must_match(head, form)
    return form


def _reason(statement: Statement) -> str:
    """Return why most rows were left out, as a message goes on; "" where none was."""
    texts = Counter(remark.text for remark in statement.ignored)
    return f": {texts.most_common(1)[0][0].removesuffix('.')}" if texts else ""


def _broker(code: str) -> Broker:
    try:
        return Broker(code)
    except ValueError as error:
        brokers = ", ".join(Broker)
        raise InvalidValue(f"There is no broker {code!r}.", field="broker", hint=f"One of: {brokers}.") from error
