"""Ids of advice: a hash of what it is about, the same on every machine."""

from __future__ import annotations

import hashlib


def advice_id(*parts: object) -> int:
    """Signed 64-bit hash of the parts' text."""
    key = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)
