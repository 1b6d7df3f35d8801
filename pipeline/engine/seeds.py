"""Seeds derived from one root, so that stages draw independently and reproducibly."""

from __future__ import annotations

import hashlib


def derive_seed(root: int, *names: str | int) -> int:
    """Return a seed in [0, 2**31) that depends on `root` and on every name, in order.

    The names are typed and length-prefixed before hashing (SHA-256), so that ("ab", "c") and
    ("a", "bc"), or 1 and "1", give different seeds.
    """
    digest = hashlib.sha256()
    for part in (root, *names):
        text = f"{type(part).__name__}:{part}".encode()
        digest.update(f"{len(text)}:".encode() + text)
    return int.from_bytes(digest.digest()[:4], "big") >> 1
