"""Pseudonyms by a keyed hash: the same for the same value and key, and no way back without the key."""

from __future__ import annotations

import hashlib
import hmac

LETTERS = "23456789BCDFGHJKLMNPQRSTVWXZ"
"""No vowels and nothing that reads like something else: pseudonyms spell no words and survive being read out."""


def keyed(key: bytes, kind: str, value: str, *, n_letters: int = 8) -> str:
    """The pseudonym of a value: HMAC-SHA-256 (RFC 2104) written in letters.

    Args:
        key: The secret; without it nobody can tell whose pseudonym it is, not even by trying all names.
        kind: What the value is (`rater`, `candidate`, ...); the same value of another kind has another pseudonym.
        value: What the pseudonym stands for.
        n_letters: Its length; eight letters of 28 tell 38 billion values apart.

    Raises:
        ValueError: The key is empty.

    >>> keyed(b"secret", "rater", "eve")
    'WQCXHKRS'
    """
    if not key:
        raise ValueError("a keyed pseudonym needs a key, got an empty one")
    number = int.from_bytes(hmac.digest(key, f"{kind}\0{value}".encode(), hashlib.sha256), "big")
    letters = []
    for _ in range(n_letters):
        number, place = divmod(number, len(LETTERS))
        letters.append(LETTERS[place])
    return "".join(letters)
