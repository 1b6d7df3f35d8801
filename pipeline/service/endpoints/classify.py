"""`/classify`: the class of one image, with a note where a bundle reads one, and where the network looked."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import Response

from pipeline.inference.opened_bundle import IMAGE, NOTE
from pipeline.service.desk import Ticket
from pipeline.service.endpoints.asking import BundleName, Drawn, Gate, Note, Slice, answered, note_of, upload_of
from pipeline.service.endpoints.drawing import PICTURE, Caption, Method, heat_map_picture, heat_maps, png_response, wants_png
from pipeline.service.models import CLASSIFY, field_of
from pipeline.service.problems import Problem
from pipeline.service.safety.gatekeeper import request_id_of
from pipeline.service.safety.uploads import FormRoute
from pipeline.service.service import service_of

router = APIRouter(tags=["answers"], route_class=FormRoute)


@router.post("/classify", response_model=Drawn, responses=PICTURE)
async def classify(
    request: Request,
    file: Annotated[UploadFile | None, File(description="An image of what the bundle reads.")] = None,
    note: Note = None,
    slice: Slice = None,
    bundle: BundleName = None,
    heat_map: Annotated[Method | None, Form(description="Draw where the network looked for the class that it names.")] = None,
    caption: Caption = True,
    return_features: Annotated[bool, Form(description="Send the network's features, where the bundle has them.")] = False,
    gate: Gate = True,
) -> Drawn | Response:
    """Name the class of an image, a note, or both. `Accept: image/png` asks for the heat map over the scan."""
    service, request_id, as_png = service_of(request), request_id_of(request), wants_png(request)
    uploads = {IMAGE: await upload_of(field_of(IMAGE), file, slice)} if file is not None else {}
    said = note_of(note, service)
    if not uploads and said is None:
        raise Problem(422, "nothing-given", "Neither an image nor a note was sent.", "Send file, note or both.")
    if (as_png or heat_map) and not uploads:
        raise Problem(422, "no-picture", "A heat map is drawn over an image, and none was sent.", "Send file.")
    of_note = {NOTE: said} if said is not None else {}
    drawn_by: list[str] = [heat_map or "gradcam"] if as_png or heat_map else []
    served = service.models.for_case([*uploads, *of_note], bundle, CLASSIFY, drawn_by)

    def work(ticket: Ticket) -> Drawn | Response:
        scans = service.read(uploads)
        ticket.proceed()
        case = scans | of_note
        told, answer = answered(service, served, case, request_id, gate=gate, methods=drawn_by, features=return_features)
        first = answer.findings[0]
        if as_png:
            return png_response(heat_map_picture(scans[IMAGE].gray, first, drawn_by[0], caption))
        drawn = heat_maps({first.modality: scans[IMAGE].gray}, answer, caption) if scans else []
        return Drawn(**dict(told), heat_maps=drawn)

    return await service.ask(request, work)
