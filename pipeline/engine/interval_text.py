"""How a value with its interval reads, in every table, sentence and figure."""

from __future__ import annotations

from collections.abc import Mapping


def interval_text(
    interval: Mapping[str, float | None], digits: int = 3, *, signed: bool = False, percent: bool = False
) -> str:
    """E.g. "0.912 [0.880, 0.941]"; "0.912" where there are no bounds, "undefined" where there is no value.

    interval: {"value", "low", "high"}, the bounds absent or None where there are none; other keys are not read. signed: with a
    plus before what is not negative, for differences; percent: hundredfold, with the sign after it.
    """
    kind = f"{'+' if signed else ''}.{digits}{'%' if percent else 'f'}"
    value, low, high = (interval.get(key) for key in ("value", "low", "high"))
    if value is None:
        return "undefined"
    if low is None or high is None:
        return f"{value:{kind}}"
    return f"{value:{kind}} [{low:{kind}}, {high:{kind}}]"
