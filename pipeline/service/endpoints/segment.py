"""`/segment`: the lungs of one X-ray, as outlines and measures, or as a picture."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import Field
from starlette.responses import Response

from pipeline.inference.opened_bundle import IMAGE
from pipeline.inference.segmenter.overlays import draw_overlay, mask_picture
from pipeline.service.desk import Ticket
from pipeline.service.endpoints.asking import BundleName, Drawn, Gate, answered, upload_of
from pipeline.service.endpoints.drawing import PICTURE, Caption, Outline, heat_maps, outlines, png_response, wants_png
from pipeline.service.models import SEGMENT, field_of
from pipeline.service.problems import Problem
from pipeline.service.safety.gatekeeper import request_id_of
from pipeline.service.safety.uploads import FormRoute
from pipeline.service.service import service_of

router = APIRouter(tags=["answers"], route_class=FormRoute)


class Segmentation(Drawn):
    """The lungs, and the diagnosis beside them."""

    height: int = Field(description="Of the scan, px.")
    width: int
    outlines: list[Outline]
    measures: dict[str, float | int | None] = Field(description="Of the lungs, as predictions.csv has them.")


@router.post("/segment", response_model=Segmentation, responses=PICTURE)
async def segment(
    request: Request,
    file: Annotated[UploadFile, File(description="A chest X-ray.")],
    bundle: BundleName = None,
    picture: Annotated[Literal["overlay", "mask"], Form(description="Which picture, for Accept: image/png.")] = "overlay",
    heat_map: Annotated[bool, Form(description="Draw Grad-CAM of the class, too.")] = False,
    caption: Caption = True,
    gate: Gate = True,
) -> Segmentation | Response:
    """Outline the lungs and name the diagnosis. `Accept: image/png` asks for the overlay, or for the mask (0 and 255)."""
    service, request_id, as_png = service_of(request), request_id_of(request), wants_png(request)
    upload = await upload_of(field_of(IMAGE), file)
    methods = ("gradcam",) if heat_map else ()
    served = service.models.for_case([IMAGE], bundle, SEGMENT, methods)

    def work(ticket: Ticket) -> Segmentation | Response:
        scan = service.read({IMAGE: upload})[IMAGE]
        ticket.proceed()
        told, answer = answered(service, served, {IMAGE: scan}, request_id, gate=gate, methods=methods)
        if answer.lung_mask is None:
            raise Problem(422, "not-answerable", f"{served.name} outlines no lungs.", "Name another bundle.")
        if as_png and picture == "mask":
            return png_response(mask_picture(answer.lung_mask))
        if as_png:
            return png_response(draw_overlay(scan.gray, answer.lung_mask, answer.findings[0].caption if caption else ""))
        height, width = scan.gray.shape
        drawn = heat_maps({answer.findings[0].modality: scan.gray}, answer, caption)
        return Segmentation(**dict(told), height=height, width=width, outlines=outlines(answer.lung_mask),
                            measures=dict(answer.geometry), heat_maps=drawn)  # fmt: skip

    return await service.ask(request, work)
