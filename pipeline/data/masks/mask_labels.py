"""The values that somebody names as lung: `--mask-labels 1,2`, `mask_labels: ["128-255"]`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.data.masks.mask_pixels import COLOUR
from pipeline.engine.errors import UsageError

_VALUE, _RANGE, _COLOUR = re.compile(r"\d{1,5}"), re.compile(r"(\d{1,5})-(\d{1,5})"), re.compile(r"#([0-9a-fA-F]{6})")

Span = tuple[int, int]


def read_mask_labels(words: Iterable[str | int]) -> tuple[Span, ...]:
    """Spans (lowest, highest) of gray values or of one colour: `2` is (2, 2), `128-255` a range, `#ff0000` a colour.

    Raises UsageError for anything else.
    """
    return tuple(_span(str(word).strip()) for word in words)


def _span(word: str) -> Span:
    if _VALUE.fullmatch(word):
        return int(word), int(word)
    if (found := _RANGE.fullmatch(word)) and int(found[1]) <= int(found[2]):
        return int(found[1]), int(found[2])
    if found := _COLOUR.fullmatch(word):
        colour = int(found[1], 16)
        red, green, blue = colour >> 16, colour >> 8 & 255, colour & 255
        value = red if red == green == blue else COLOUR | colour
        return value, value
    raise UsageError(f"{word!r} is no label of a mask.", "Give values (1,2), ranges (128-255) or colours (#ff0000).")
