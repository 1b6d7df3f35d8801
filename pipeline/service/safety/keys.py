"""API keys: made once and shown once; what is kept of them is a hash, and a name."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from hmac import compare_digest
from pathlib import Path

from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, StorageError, UsageError
from pipeline.engine.files import atomic_write_text

PREFIX, BYTES = "rk_", 32
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LINE = re.compile(rf"({_NAME.pattern}):([0-9a-f]{{64}})")
_TELL = "Each line is name:hash, as serve --keys FILE --new-key NAME writes it."


class Keys:
    """The hashes, by name. A key is 256 random bits, so that a plain SHA-256 cannot be guessed back."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = dict(hashes)

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


def read_keys(path: Path) -> Keys:
    """Raises MissingArtifactError (no file), CorruptArtifactError (no such lines, or none)."""
    hashes = _hashes_in(path, _text_of(path))
    if not hashes:
        raise CorruptArtifactError(f"{path}: holds no key.", _TELL)
    return Keys(hashes)


def add_key(path: Path, name: str) -> str:
    """Add a key to the file, which need not be there, and return it: it is not kept anywhere. What stands in the file stays.

    A new file is for its owner's eyes alone. Raises as `read_keys` and `Keys.with_new`, StorageError where it cannot be written.
    """
    is_new = not path.exists()
    text = "" if is_new else _text_of(path)
    _, key = Keys(_hashes_in(path, text)).with_new(name)
    mode = 0o600 if is_new else path.stat().st_mode & 0o777
    kept = text if text.endswith("\n") or not text else f"{text}\n"
    try:
        atomic_write_text(path, f"{kept}{name}:{_hash_of(key)}\n")
        path.chmod(mode)
    except OSError as cause:
        told = f"{path}: the key cannot be kept ({cause.strerror or cause})."
        raise StorageError(told, "Give --keys a file in a folder that can be written to.") from cause
    return key


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        mend = "Make it: serve --keys FILE --new-key NAME."
        raise MissingArtifactError(f"{path}: the keys cannot be read ({type(cause).__name__}).", mend) from cause


def _hashes_in(path: Path, text: str) -> dict[str, str]:
    hashes: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        told = _LINE.fullmatch(line)
        if told is None or told[1] in hashes:
            raise CorruptArtifactError(f"{path}: line {number} is no key's hash, or of a name that stands twice.", _TELL)
        hashes[told[1]] = told[2]
    return hashes


def _hash_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
