"""`/predict`: one image as the documents ask it, or a pair, or an image and a note."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile

from pipeline.inference.opened_bundle import IMAGE, NOTE
from pipeline.service.desk import Ticket
from pipeline.service.endpoints.asking import BundleName, Drawn, Gate, Note, Slice, answered, note_of, upload_of
from pipeline.service.endpoints.drawing import Caption, Method, heat_maps
from pipeline.service.models import field_of
from pipeline.service.problems import Problem
from pipeline.service.safety.gatekeeper import request_id_of
from pipeline.service.safety.uploads import FormRoute
from pipeline.service.service import service_of

router = APIRouter(tags=["answers"], route_class=FormRoute)


@router.post("/predict")
async def predict(
    request: Request,
    file: Annotated[UploadFile | None, File(description="One image, for the default classifier or `bundle`.")] = None,
    xray: Annotated[UploadFile | None, File(description="A chest X-ray; of a pair, or alone.")] = None,
    ct: Annotated[UploadFile | None, File(description="A CT slice; of a pair, or alone.")] = None,
    note: Note = None,
    slice: Slice = None,
    bundle: BundleName = None,
    heat_map: Annotated[Method | None, Form(description="Draw where the network looked for the class that it names.")] = None,
    caption: Caption = True,
    return_features: Annotated[bool, Form(description="Send the network's features, where the bundle has them.")] = False,
    gate: Gate = True,
) -> Drawn:
    """Answer one image (`file`), or an X-ray, a CT slice or both (`xray`, `ct`), with a note where a bundle reads one."""
    service = service_of(request)
    given = {IMAGE: file, "xray": xray, "ct": ct}
    uploads = {
        door: await upload_of(field_of(door), upload, slice if door != "xray" else None)
        for door, upload in given.items() if upload is not None
    }  # fmt: skip
    said = note_of(note, service)
    if not uploads and said is None:
        raise Problem(422, "nothing-given", "Neither a scan nor a note was sent.", "Send file, or xray, ct or both, or note.")
    if IMAGE in uploads and len(uploads) > 1:
        raise Problem(422, "two-calls", "file is a call of its own.", "Send file alone, or xray and ct.")
    methods = [heat_map] if heat_map is not None else []
    served = service.models.for_case([*uploads, *([NOTE] if said is not None else [])], bundle, None, methods)

    def work(ticket: Ticket) -> Drawn:
        scans = service.read(uploads)
        ticket.proceed()
        case = scans | ({NOTE: said} if said is not None else {})
        told, answer = answered(
            service, served, case, request_id_of(request), gate=gate, methods=methods, features=return_features
        )  # fmt: skip
        return Drawn(**dict(told), heat_maps=heat_maps(served.by_modality(scans), answer, caption))

    return await service.ask(request, work)
