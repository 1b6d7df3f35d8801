"""A setting's value as YAML has it, on one line."""

from __future__ import annotations

import json
import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][\w./+-]*( [\w./+-]+)*")
_NOT_TEXT = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"})


def shown_value(value: Any) -> str:
    """Text bare where it cannot be read as anything else, all else as JSON writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown_value(key)}: {shown_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(shown_value, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.casefold() not in _NOT_TEXT:
        return value
    text = json.dumps(value, ensure_ascii=False)
    # YAML 1.2 reads 1e-05 as a text where there is no point in it.
    return re.sub(r"^(-?\d+)e", r"\1.0e", text) if isinstance(value, float) else text
