"""The fields that several calls have, what stands in them, and how a case of them is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Annotated, Any

from fastapi import Form, UploadFile

from pipeline.inference.answers import Answer
from pipeline.inference.given_scan import RefusedScanError
from pipeline.service.answers import Prediction, prediction_of, refused_scan
from pipeline.service.endpoints.drawing import HeatMap
from pipeline.service.models import Served
from pipeline.service.problems import Problem
from pipeline.service.running import metrics
from pipeline.service.scans import called
from pipeline.service.service import Service, Upload

Note = Annotated[str | None, Form(description="What is written of the case.")]
BundleName = Annotated[str | None, Form(description="The bundle to ask, one of /model/info; the default one else.")]
Slice = Annotated[
    str | None, Form(description='Of a volume (NIfTI, DICOM of several frames): a slice from 1 on, or "largest-lung".')
]
Gate = Annotated[bool, Form(description="Ask what the scan is, and refuse what is not what it is given as.")]


class Drawn(Prediction):
    """An answer, and where the network looked."""

    heat_maps: list[HeatMap]


async def upload_of(field: str, upload: UploadFile, slice: str | None = None) -> Upload:
    """Its bytes, and what messages call it. Raises Problem (422) for an empty one."""
    content = await upload.read()
    if not content:
        raise Problem(422, "empty-file", f"{field}: empty file (zero bytes).", "Send the file itself.")
    return Upload(content, called(field, upload.filename), slice or None)


def note_of(note: str | None, service: Service) -> str | None:
    """The note, None for an empty one. Raises Problem (413) for one that is too long."""
    most = service.settings.limits.note_characters
    if note is not None and len(note) > most:
        raise Problem(413, "too-large", f"The note has {len(note):,} characters, at most {most:,} are read.", "Shorten it.")
    return note or None


def answered(
    service: Service, served: Served, case: Mapping[str, Any], request_id: str, *, gate: bool = True, methods: Sequence[str] = (),
    features: bool = False,
) -> tuple[Prediction, Answer]:  # fmt: skip
    """What a bundle says of scans and a note by door, as it is sent and as it was given.

    Raises DataError, UsageError, and Problem where a scan is refused.
    """
    began = perf_counter()
    try:
        answer = served.answer(case, methods, gate=gate)
    except RefusedScanError as refused:
        metrics.ANSWERS.labels(served.name, "refused").inc()
        raise refused_scan(refused, service.models) from refused
    seconds = perf_counter() - began
    metrics.MODEL_SECONDS.labels(served.name).observe(seconds)
    metrics.ANSWERS.labels(served.name, "refused" if answer.refused else "answered").inc()
    return prediction_of(served, answer, service.models, seconds, request_id, features=features), answer
