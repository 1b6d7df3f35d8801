"""Names of files that are too long for a file system, not legal there, or not UTF-8: as they can be written."""

from __future__ import annotations

import hashlib
import os
import re

# What Linux, macOS and Windows take as one name, in bytes.
LONGEST = 255
DIGEST_DIGITS = 12
# What Windows takes in no name, and the names that are its devices, whatever ending they have.
_ILLEGAL = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\s*(?:\..*)?", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")
_FIRST_BYTE = 0xDC00


def printable(text: str) -> str:
    r"""Text that can be written as UTF-8: bytes of a file's name that are none become ``\xED``."""
    return _SURROGATE.sub(lambda found: _escaped(ord(found[0])), text)


def _escaped(code: int) -> str:
    # Python keeps byte b of such a name as U+DC00 + b.
    byte = code - _FIRST_BYTE
    return f"\\x{byte:02X}" if 0x80 <= byte <= 0xFF else f"\\u{code:04x}"


def short_name(name: str, longest: int = LONGEST) -> str:
    """A file's name of at most `longest` bytes: the same, or its beginning, `~` and 12 digits of its SHA-256."""
    raw = os.fsencode(name)
    if len(raw) <= longest:
        return name
    digest = _digest(raw)
    kept = raw[: longest - DIGEST_DIGITS - 1]
    # No half of a character stays at the end.
    return f"{kept.decode('utf-8', 'ignore')}~{digest}"


def flat_name(path: str) -> str:
    """One file's name for a path with `/`, which becomes `__`; legal on Linux, macOS and Windows.

    What a system does not take is written as `_`, and 12 digits of the path's SHA-256 then keep names apart.
    """
    name = path.replace("/", "__")
    if is_legal(name):
        return name
    first, dot, endings = _ILLEGAL.sub("_", name).rstrip(" .").partition(".")
    return f"{first}~{_digest(os.fsencode(path))}{dot}{endings}"


def is_legal(name: str) -> bool:
    """Whether Linux, macOS and Windows all take the name of a file or folder as it stands, short enough or not."""
    return bool(name) and not (_ILLEGAL.search(name) or _DEVICE.fullmatch(name) or name[-1] in " .")


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:DIGEST_DIGITS]
