"""The codes of chains are HMAC-SHA256, as anybody may compute them who has the key."""

from __future__ import annotations

import hmac

import pytest

from trading.domain.chain import chain_code


@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
def test_a_code_is_the_standards_for_keys_of_any_length(length: int) -> None:
    for previous, body in [("", ""), ("ab" * 32, '{"op":"open_position"}'), ("", "₹ \ud800" * 100)]:
        text = f"{previous}\n{body}".encode("utf-8", "surrogatepass")
        key = "kü"[:length] + "x" * (length - 2)
        assert chain_code(key, previous, body) == hmac.digest(key.encode(), text, "sha256").hex()
