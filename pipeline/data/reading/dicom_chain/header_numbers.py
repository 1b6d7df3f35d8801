"""Attributes of a DICOM object, read leniently: numbers with commas, blanks or NULs, sequences, words.

pydicom turns an odd value into an exception of its own at the moment it is asked for; here the bytes of an element
are read, and what cannot be read is a DataError that names it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.data.reading.assumptions import Notes
from pipeline.data.reading.file_integrity import BROKEN_REMEDY
from pipeline.engine.errors import DataError

_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q", "OW": "H"}
_FIRST_TEXT = 1 << 12


@dataclass(frozen=True, slots=True)
class Attributes:
    """The elements of one image: `layers` of pydicom data sets, the first that holds a keyword counts.

    A frame of an enhanced object has three: its own functional groups, the shared ones, the object.
    """

    layers: Sequence[Any]
    notes: Notes

    def has(self, keyword: str) -> bool:
        """Whether the element is there and not empty."""
        found = self._element(keyword)
        return found is not None and bool(found[1])

    def text(self, keyword: str) -> str:
        """The first value as upper-case text without blanks and NULs; "" where absent."""
        values = self.texts(keyword)
        return values[0] if values else ""

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Every value of a text element, upper-case."""
        found = self._element(keyword)
        if found is None or not isinstance(found[1], bytes):
            return ()
        words = found[1][:_FIRST_TEXT].decode("latin1").split("\\")
        values = tuple(word.strip(" \0\t\r\n").upper() for word in words)
        return values if any(values) else ()

    def integer(self, keyword: str, default: int | None = None) -> int | None:
        """The first number, whole; `default` where absent. Raises DataError for what is no whole number."""
        value = self.number(keyword)
        if value is None:
            return default
        if value != int(value):
            raise self.fault(f"its {keyword} is {value:g}, a whole number expected")
        return int(value)

    def number(self, keyword: str) -> float | None:
        """The first number; None where the element is absent or empty. Raises DataError for what is none."""
        values = self.numbers(keyword)
        return values[0] if values else None

    def numbers(self, keyword: str, signed: bool | None = None) -> tuple[float, ...]:
        """Every number of an element, () where absent or empty; `signed` settles elements that are US or SS.

        A decimal comma is read as a point and said. Raises DataError for what is no finite number.
        """
        found = self._element(keyword)
        if found is None or not found[1]:
            return ()
        vr, value, little = found
        if vr in ("DS", "IS") or vr not in (*_BINARY, "US or SS", "US or OW", "US or SS or OW"):
            return self._decimals(keyword, value)
        code = _BINARY.get(vr, "h" if signed else "H")
        if signed is not None and code in "hH":
            code = "h" if signed else "H"
        count = len(value) // struct.calcsize(code)
        if count == 0:
            raise self.fault(f"its {keyword} is cut off")
        values = struct.unpack(f"{'<' if little else '>'}{count}{code}", value[: count * struct.calcsize(code)])
        if not all(math.isfinite(number) for number in values):
            raise self.fault(f"its {keyword} is not finite")
        return tuple(float(number) for number in values)

    def words(self, keyword: str) -> tuple[bytes, bool] | None:
        """The bytes of a binary element and whether they are little endian; None where absent or empty."""
        found = self._element(keyword)
        if found is None or not isinstance(found[1], bytes) or not found[1]:
            return None
        return found[1], found[2]

    def item(self, keyword: str) -> Attributes | None:
        """The first item of a sequence, None where there is none."""
        items = self.items(keyword)
        return items[0] if items else None

    def items(self, keyword: str) -> list[Attributes]:
        """Every item of a sequence. Raises DataError where it cannot be read."""
        for layer in self.layers:
            try:
                if keyword in layer:
                    return [Attributes([item], self.notes) for item in layer[keyword].value or []]
            except Exception as cause:
                raise self.fault(f"its {keyword} cannot be read ({first_line(cause)})") from cause
        return []

    def fault(self, finding: str) -> DataError:
        """The error that names the file and what was found."""
        return DataError(f"{self.notes.name}: DICOM object broken, {finding}.", BROKEN_REMEDY)

    def _decimals(self, keyword: str, value: bytes) -> tuple[float, ...]:
        numbers = []
        for word in value[:_FIRST_TEXT].decode("latin1").split("\\"):
            text = word.strip(" \0\t\r\n")
            if not text:
                continue
            if "," in text and "." not in text:
                text = text.replace(",", ".", 1)
                self.notes.add("number", f"The header's {keyword} has a decimal comma ({word.strip()}), read as {text}.")
            try:
                number = float(text)
            except ValueError:
                number = math.nan
            if not math.isfinite(number) or "_" in text:
                raise self.fault(f"its {keyword} is {word[:32].strip()!r}, no number")
            numbers.append(number)
        return tuple(numbers)

    def _element(self, keyword: str) -> tuple[str, Any, bool] | None:
        """VR, bytes and byte order of an element, unconverted."""
        from pydicom.datadict import dictionary_VR, tag_for_keyword

        tag = tag_for_keyword(keyword)
        for layer in self.layers:
            try:
                if tag not in layer:
                    continue
                element = layer.get_item(tag)
            except Exception as cause:
                raise self.fault(f"its {keyword} cannot be read ({first_line(cause)})") from cause
            vr = element.VR if element.VR not in (None, "UN") else dictionary_VR(tag)
            value = element.value
            if not isinstance(value, bytes):
                # pydicom has converted it already: its numbers are read as the text that they stood for.
                value, vr = _as_bytes(value), "DS"
            return vr, value, bool(getattr(element, "is_little_endian", True))
        return None


def first_line(cause: BaseException) -> str:
    """The first line of another library's complaint, at most 120 characters."""
    return (str(cause).splitlines() or [type(cause).__name__])[0][:120]


def _as_bytes(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        return "\\".join(str(part) for part in value).encode("latin1", "replace")
    return str(value).encode("latin1", "replace")
