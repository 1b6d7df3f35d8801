"""`/predict/batch`: many images, one result or one refusal each, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, File, Request, UploadFile
from pydantic import BaseModel, Field

from pipeline.engine.errors import PipelineError
from pipeline.inference.opened_bundle import IMAGE
from pipeline.service.answers import Prediction
from pipeline.service.desk import Ticket
from pipeline.service.endpoints.asking import BundleName, Gate, answered
from pipeline.service.models import Served
from pipeline.service.problems import Problem, ProblemDocument, problem_of
from pipeline.service.safety.gatekeeper import request_id_of
from pipeline.service.safety.uploads import FormRoute
from pipeline.service.scans import called
from pipeline.service.service import Service, Upload, service_of

router = APIRouter(tags=["answers"], route_class=FormRoute)


class BatchResult(BaseModel):
    """Of one file: an answer, or why there is none."""

    index: int = Field(description="The file's place among those sent, from 0 on.")
    name: str | None = Field(description="What its sender called it.")
    answer: Prediction | None
    error: ProblemDocument | None


class Batch(BaseModel):
    """Of all files, in their order."""

    results: list[BatchResult]
    answered: int
    failed: int
    request_id: str


@router.post("/predict/batch")
async def predict_batch(
    request: Request,
    files: Annotated[list[UploadFile], File(description="Images. One that cannot be answered costs no other.")],
    bundle: BundleName = None,
    gate: Gate = True,
) -> Batch:
    """Answer many images, each as `/predict` answers `file`. Whoever leaves has the rest left undone."""
    service, request_id = service_of(request), request_id_of(request)
    uploads = [Upload(await file.read(), called(f"files[{index}]", file.filename)) for index, file in enumerate(files)]
    served = service.models.for_case([IMAGE], bundle)

    def work(ticket: Ticket) -> list[Prediction | Problem]:
        return list(_answers(service, served, uploads, ticket, request_id, gate))

    results = [
        BatchResult(index=index, name=file.filename, answer=said if isinstance(said, Prediction) else None,
                    error=said.model(request_id) if isinstance(said, Problem) else None)
        for index, (file, said) in enumerate(zip(files, await service.ask(request, work), strict=True))
    ]  # fmt: skip
    failed = sum(result.answer is None for result in results)
    return Batch(results=results, answered=len(results) - failed, failed=failed, request_id=request_id)


def _answers(
    service: Service, served: Served, uploads: list[Upload], ticket: Ticket, request_id: str, gate: bool
) -> Iterator[Prediction | Problem]:  # fmt: skip
    """One by one; those that follow are decoded meanwhile."""
    coming = iter(uploads)
    reading = deque(map(service.begin_reading, islice(coming, service.settings.answering)))
    try:
        while reading:
            ticket.proceed()
            first = reading.popleft()
            reading.extend(map(service.begin_reading, islice(coming, 1)))
            try:
                yield answered(service, served, {IMAGE: first.result()}, request_id, gate=gate)[0]
            except Problem as refused:
                yield refused
            except PipelineError as error:
                yield problem_of(error, request_id)
    finally:
        for undone in reading:
            undone.cancel()
