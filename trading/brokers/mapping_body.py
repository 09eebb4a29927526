"""A mapping file's keys, each read with a check of its type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trading.domain.chain import JSON
from trading.errors import InvalidValue

_TEXTS_MAX = 200


class MappingBody:
    """A table of a mapping file, read by key with a check of each type. Raises: InvalidValue from every method."""

    def __init__(self, body: Mapping[str, JSON], name: str) -> None:
        self.body = body
        self.name = name

    def fault(self, key: str, fault: str) -> InvalidValue:
        """Return the refusal of a key."""
        return InvalidValue(f"{self.name}: {key!r} {fault}.", field=key, hint="Correct the mapping file.")

    def check_keys(self, keys: frozenset[str]) -> None:
        """Refuse a key that no mapping has."""
        for key in self.body:
            if key not in keys:
                raise self.fault(key, f"is no key of a mapping; there are {', '.join(sorted(keys))}")

    def text(self, key: str) -> str | None:
        """Return a text, None where the key is absent."""
        content = self.body.get(key)
        if content is not None and (not isinstance(content, str) or not 0 < len(content) <= _TEXTS_MAX):
            raise self.fault(key, f"is to be a text of at most {_TEXTS_MAX} letters")
        return content

    def required_text(self, key: str) -> str:
        """Return a text that may not be absent."""
        content = self.text(key)
        if content is None:
            raise self.fault(key, "is missing")
        return content

    def flag(self, key: str) -> bool:
        """Return true or false, false where the key is absent."""
        content = self.body.get(key, False)
        if not isinstance(content, bool):
            raise self.fault(key, "is to be true or false")
        return content

    def texts(self, key: str) -> list[str]:
        """Return a list of texts, an empty one where the key is absent."""
        content = self.body.get(key, [])
        if not isinstance(content, Sequence) or isinstance(content, str):
            raise self.fault(key, "is to be a list of texts")
        texts = [text for text in content if isinstance(text, str) and len(text) <= _TEXTS_MAX]
        if len(texts) != len(content):
            raise self.fault(key, "is to be a list of texts")
        return texts

    def table(self, key: str) -> MappingBody:
        """Return a table inside, an empty one where the key is absent."""
        content = self.body.get(key, {})
        if not isinstance(content, Mapping):
            raise self.fault(key, "is to be a table")
        return MappingBody(content, f"{self.name}, {key}")

    def bodies(self, key: str) -> list[MappingBody]:
        """Return the tables of a list `[[key]]`."""
        content = self.body.get(key, [])
        if not isinstance(content, Sequence) or isinstance(content, str):
            raise self.fault(key, "is to be a list of tables")
        bodies = [MappingBody(each, f"{self.name}, {key}") for each in content if isinstance(each, Mapping)]
        if len(bodies) != len(content):
            raise self.fault(key, "is to be a list of tables")
        return bodies

    def texts_by_key(self, key: str, keys: frozenset[str] | None = None) -> dict[str, str]:
        """Return a table of texts, whose keys are among ``keys``."""
        inner = self.table(key)
        if keys is not None:
            inner.check_keys(keys)
        return {each: inner.required_text(each) for each in inner.body}

    def lists_by_key(self, key: str, keys: frozenset[str]) -> dict[str, list[str]]:
        """Return a table of lists of texts, whose keys are among ``keys``."""
        inner = self.table(key)
        inner.check_keys(keys)
        return {each: inner.texts(each) for each in inner.body}
