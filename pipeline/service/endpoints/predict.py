"""`/predict`: one image as the documents ask it, or a pair, or an image and a note."""

from __future__ import annotations

from time import perf_counter
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile

from pipeline.inference.given_scan import RefusedScanError
from pipeline.inference.opened_bundle import IMAGE, NOTE
from pipeline.service.answers import Prediction, prediction_of, refused_scan
from pipeline.service.desk import Ticket
from pipeline.service.endpoints.asking import BundleName, Gate, Note, note_of, upload_of
from pipeline.service.models import Served
from pipeline.service.problems import Problem
from pipeline.service.running import metrics
from pipeline.service.safety.gatekeeper import request_id_of
from pipeline.service.safety.uploads import FormRoute
from pipeline.service.service import Service, Upload, service_of

router = APIRouter(tags=["answers"], route_class=FormRoute)


@router.post("/predict")
async def predict(
    request: Request,
    file: Annotated[UploadFile | None, File(description="One image, for the default classifier or `bundle`.")] = None,
    xray: Annotated[UploadFile | None, File(description="A chest X-ray; of a pair, or alone.")] = None,
    ct: Annotated[UploadFile | None, File(description="A CT slice; of a pair, or alone.")] = None,
    note: Note = None,
    bundle: BundleName = None,
    return_features: Annotated[bool, Form(description="Send the network's features, where the bundle has them.")] = False,
    gate: Gate = True,
) -> Prediction:
    """Answer one image (`file`), or an X-ray, a CT slice or both (`xray`, `ct`), with a note where a bundle reads one."""
    service = service_of(request)
    given = {IMAGE: file, "xray": xray, "ct": ct}
    uploads = {door: await upload_of(field, upload, service) for door, field, upload in _named(given) if upload is not None}
    said = note_of(note, service)
    if not uploads and said is None:
        raise Problem(422, "nothing-given", "Neither a scan nor a note was sent.", "Send file, or xray, ct or both, or note.")
    if IMAGE in uploads and len(uploads) > 1:
        raise Problem(422, "two-calls", "file is a call of its own.", "Send file alone, or xray and ct.")
    served = service.models.for_case([*uploads, *([NOTE] if said is not None else [])], bundle)

    def work(ticket: Ticket) -> Prediction:
        return answered(service, served, uploads, said, ticket, request_id_of(request), gate=gate, features=return_features)

    return await service.ask(request, work)


def _named(given: dict[str, UploadFile | None]) -> list[tuple[str, str, UploadFile | None]]:
    """Door, form field, upload."""
    return [(door, "file" if door == IMAGE else door, upload) for door, upload in given.items()]


def answered(
    service: Service, served: Served, uploads: dict[str, Upload], note: str | None, ticket: Ticket, request_id: str, *,
    gate: bool, features: bool,
) -> Prediction:  # fmt: skip
    """Decode and ask. Raises DataError, and Problem where a scan is refused."""
    case: dict[str, Any] = dict(service.read(uploads))
    if note is not None:
        case[NOTE] = note
    ticket.proceed()
    began = perf_counter()
    try:
        answer = served.answer(case, gate=gate)
    except RefusedScanError as refused:
        metrics.ANSWERS.labels(served.name, "refused").inc()
        raise refused_scan(refused, service.models) from refused
    seconds = perf_counter() - began
    metrics.MODEL_SECONDS.labels(served.name).observe(seconds)
    metrics.ANSWERS.labels(served.name, "refused" if answer.refused else "answered").inc()
    return prediction_of(served, answer, service.models, seconds, request_id, features=features)
