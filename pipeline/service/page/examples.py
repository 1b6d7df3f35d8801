"""Four cases of generated patients, each made when it is first asked for: no scan of a person stands in the program."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from pipeline.data.scans import CT, XRAY
from pipeline.inference.pictures import png_bytes
from pipeline.service.endpoints.drawing import PNG
from pipeline.service.problems import Problem

router = APIRouter(include_in_schema=False)
PLACE = "/page/examples"
SIDE = 448
# The same bytes for as long as the program is the same.
KEPT = {"Cache-Control": "public, max-age=3600"}


@dataclass(frozen=True)
class Example:
    """A case on one click. scans: condition, seed and modality of each picture. given_as: see `form`."""

    name: str
    title: str
    scans: tuple[tuple[str, int, str], ...]
    given_as: str = "auto"

    @property
    def files(self) -> list[str]:
        """The names of its pictures."""
        return [f"phantom_{condition}_{seed}_{modality}.png" for condition, seed, modality in self.scans]


EXAMPLES = (
    Example("normal", "X-ray, healthy", (("normal", 1, XRAY),)),
    Example("pneumonia", "X-ray, pneumonia", (("bacterial", 0, XRAY),)),
    Example("pair", "X-ray and CT slice, COVID", (("covid", 0, XRAY), ("covid", 0, CT))),
    Example("mistaken", "X-ray given as a CT slice", (("normal", 1, XRAY),), CT),
)
_SCANS = {file: scan for example in EXAMPLES for file, scan in zip(example.files, example.scans, strict=True)}


@router.get(PLACE + "/{file}")
async def picture(file: str) -> Response:
    """One picture of an example."""
    if file not in _SCANS:
        raise Problem(404, "http", "There is no such example.", "See the page.")
    return Response(await run_in_threadpool(example_png, file), headers=KEPT, media_type=PNG)


@lru_cache(8)
def example_png(file: str) -> bytes:
    """A picture's bytes, by the name that `Example.files` gives it. Raises KeyError."""
    from pipeline.data.phantom.patient import make_patient  # asked for by one page alone

    condition, seed, modality = _SCANS[file]
    patient = make_patient(seed, condition, size=SIDE)
    return png_bytes(patient.ct if modality == CT else patient.xray)


def example_of(name: str) -> Example:
    """Raises Problem (404) where there is none of that name."""
    for example in EXAMPLES:
        if example.name == name:
            return example
    raise Problem(404, "http", "There is no such example.", "See the page.")
