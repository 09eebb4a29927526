"""The batches of an Arrow IPC stream, of which nothing is believed."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from trading.api.arrow_messages import MESSAGE_BYTES_MAX, RECORDS, SCHEMA, next_message, unreadable
from trading.api.tick_rows import BodyReader
from trading.errors import InvalidValue

TEXT_BYTES_MAX = 256  # of one name


def arrow_batches(body: BodyReader, names: Collection[str]) -> Iterator[pa.RecordBatch]:
    """Yield a stream's batches with those of its columns that have these names. Raises: InvalidValue."""
    head = b""
    while message := next_message(body):
        kind, text = message
        if kind != RECORDS:
            if (kind == SCHEMA) != (not head) or len(head) + len(text) > MESSAGE_BYTES_MAX:
                raise unreadable("its schema comes twice, late or with too large dictionaries")
            head += text
            continue
        try:
            with pa.ipc.open_stream(head + text) as stream:
                batch = stream.read_next_batch()
            batch = batch.select([name for name in batch.schema.names if name in names])
            batch.validate(full=True)
        except (pa.ArrowException, KeyError, StopIteration, MemoryError, OSError) as error:
            raise unreadable(str(error).splitlines()[0] if str(error) else "it ends early") from error
        if not batch.schema.names:
            raise InvalidValue("The Arrow stream has no column of a tick.", field="body")
        # Other types than numbers, times and texts, and texts that are no names, are refused.
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            texts = column.dictionary if pa.types.is_dictionary(column.type) else column
            kind = texts.type
            if pa.types.is_string(kind) or pa.types.is_large_string(kind):
                if (pc.max(pc.binary_length(texts)).as_py() or 0) > TEXT_BYTES_MAX:
                    raise InvalidValue(f"A text of {name} has more than {TEXT_BYTES_MAX} bytes.", field=name)
            elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_timestamp(kind)):
                hint = "Send numbers, names as text, and times as timestamp[ns, UTC] or int64 nanoseconds."
                raise InvalidValue(f"The column {name} is {kind}.", field=name, hint=hint)
        if len(set(batch.schema.names)) < len(batch.schema.names):
            raise InvalidValue("A column stands twice.", field="body")
        yield batch
    if not head:
        raise unreadable("it is empty")
