"""API keys: made once and shown once; what is kept of them is a hash, and a name."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from hmac import compare_digest
from pathlib import Path

from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, UsageError
from pipeline.engine.files import atomic_write_text

PREFIX, BYTES = "rk_", 32
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LINE = re.compile(rf"({_NAME.pattern}):([0-9a-f]{{64}})")
_TELL = "Each line is name:hash, as serve --keys FILE --new-key NAME writes it."


class Keys:
    """The hashes, by name. A key is 256 random bits, so that a plain SHA-256 cannot be guessed back."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = dict(hashes)

    def __len__(self) -> int:
        return len(self._hashes)

    def name_of(self, key: str) -> str | None:
        """Whose key it is; None for a wrong one. Every hash is compared, each in constant time."""
        told, found = _hash_of(key), None
        for name, kept in self._hashes.items():
            if compare_digest(told, kept):
                found = name
        return found

    def with_new(self, name: str) -> tuple[Keys, str]:
        """These and a new one, and the key itself. Raises UsageError for a name that is taken, or none."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name for a key.", "Up to 64 letters, digits, dots, dashes and underscores.")
        if name in self._hashes:
            raise UsageError(f"There is a key of {name} already.", "Take its line out of the file first, or choose another name.")
        key = PREFIX + secrets.token_urlsafe(BYTES)
        return Keys({**self._hashes, name: _hash_of(key)}), key

    def write(self, path: Path) -> None:
        """Write the hashes, for their owner's eyes alone."""
        atomic_write_text(path, "".join(f"{name}:{kept}\n" for name, kept in self._hashes.items()))
        path.chmod(0o600)


def read_keys(path: Path) -> Keys:
    """Raises MissingArtifactError (no file), CorruptArtifactError (no such lines, or none)."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as cause:
        mend = "Make it: serve --keys FILE --new-key NAME."
        raise MissingArtifactError(f"{path}: the keys cannot be read ({type(cause).__name__}).", mend) from cause
    hashes = {}
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        told = _LINE.fullmatch(line)
        if told is None or told[1] in hashes:
            raise CorruptArtifactError(f"{path}: line {number} is no key's hash, or of a name that stands twice.", _TELL)
        hashes[told[1]] = told[2]
    if not hashes:
        raise CorruptArtifactError(f"{path}: holds no key.", _TELL)
    return Keys(hashes)


def add_key(path: Path, name: str) -> str:
    """Add a key to the file, which need not be there, and return it: it is not kept anywhere."""
    keys, key = (read_keys(path) if path.exists() else Keys({})).with_new(name)
    keys.write(path)
    return key


def _hash_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
