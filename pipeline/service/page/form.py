"""What the page's form holds: scans of one case or of many, what they are given as, a note, a bundle, what is to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fastapi import UploadFile

from pipeline.data.reading.scan_reader import is_dicom, is_volume
from pipeline.data.reading.volume_reader import LARGEST_LUNG
from pipeline.data.scans import CT, XRAY
from pipeline.service.endpoints.asking import note_of
from pipeline.service.page.examples import example_of, example_png
from pipeline.service.scans import called
from pipeline.service.service import Service

AUTO = "auto"
GivenAs = Literal["auto", "xray", "ct"]
LUNGS, HEAT = "lungs", "heat"


@dataclass(frozen=True)
class Given:
    """One file. name: what its sender called it, which is shown and nothing else. slice: None for a plain picture."""

    name: str
    content: bytes
    called: str
    slice: str | None = None


@dataclass(frozen=True)
class Asked:
    """A form. given_as: AUTO lets the gate tell. bundle: None for whichever reads this. drawn: of LUNGS and HEAT."""

    scans: tuple[Given, ...]
    given_as: str = AUTO
    note: str | None = None
    bundle: str | None = None
    drawn: frozenset[str] = frozenset()


async def asked_for(
    service: Service, scans: Sequence[UploadFile], given_as: GivenAs, note: str | None, bundle: str | None, drawn: Sequence[str],
    example: str | None, slice: str | None = None,
) -> Asked:  # fmt: skip
    """What was filled in. Raises Problem: 404 no such example, 413 a note that is too long."""
    if example:
        case = example_of(example)
        found = [Given(file, example_png(file), called("scan", file)) for file in case.files]
        return Asked(tuple(found), case.given_as, None, bundle or None, frozenset(drawn))
    # A field that nothing was chosen for comes as a file without a name.
    chosen = [scan for scan in scans if scan.filename]
    found = [_given(scan.filename or "", await scan.read(), (slice or "").strip() or LARGEST_LUNG) for scan in chosen]
    return Asked(tuple(found), given_as, note_of((note or "").strip(), service), bundle or None, frozenset(drawn))


def _given(filename: str, content: bytes, slice: str) -> Given:
    name = called("scan", filename)
    may_hold_several = is_volume(name) or is_dicom(content, name)
    return Given(filename, content, name, slice if may_hold_several else None)


def is_many(asked: Asked, kinds: Sequence[str | None]) -> bool:
    """Whether these are cases of their own: more than an X-ray and a CT slice of one patient."""
    return len(asked.scans) > 2 or len(asked.scans) == 2 and sorted(kind or "" for kind in kinds) != [CT, XRAY]
