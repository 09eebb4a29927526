"""Fields of protobuf messages that their layout does not have."""

from __future__ import annotations

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet


def unknown_fields(message: Message) -> int:
    """Return how many fields of a message and of all messages inside it the layout does not have."""
    count = len(UnknownFieldSet(message))
    for field, content in message.ListFields():
        if field.message_type is None:
            continue
        if isinstance(content, Message):
            count += unknown_fields(content)
            continue
        inner = content.values() if field.message_type.GetOptions().map_entry else content
        count += sum(unknown_fields(each) for each in inner if isinstance(each, Message))
    return count
