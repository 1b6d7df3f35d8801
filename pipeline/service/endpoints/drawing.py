"""Pictures of an answer: lungs, and heat maps, as the commands draw them; sent as PNG, or as base64 within JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from fastapi import Form, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from pipeline.data.masks.lung_geometry import split_sides
from pipeline.engine.arrays import Array
from pipeline.inference.activation.overlays import METHODS, draw_activation
from pipeline.inference.answers import Answer, Finding
from pipeline.inference.pictures import png_bytes

PNG = "image/png"
# Of a call that answers with JSON, or with a picture.
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "JSON, or a picture where Accept asks for it.",
        "content": {PNG: {"schema": {"type": "string", "format": "binary"}}},
    }
}
SIDES = ("right", "left")
Method = Literal["gradcam", "gradcam_plus_plus"]
Caption = Annotated[bool, Form(description="Write the class into the picture, as the commands do.")]


class HeatMap(BaseModel):
    """Where a network looked, for the class that was named, over the scan at its own size."""

    modality: str
    method: str
    png_base64: str


class Outline(BaseModel):
    """One closed outline of a lung: pixels of the scan, x from the left, y from above."""

    side: str = Field(description="The patient's: the right lung is on the picture's left.")
    points: list[tuple[int, int]]


def wants_png(request: Request) -> bool:
    """Whether the client asks for a picture before it asks for JSON, by its Accept."""
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    first = next((kind for kind in accepted if kind in (PNG, "image/*", "application/json", "*/*")), "")
    return first in (PNG, "image/*")


def png_response(picture: Array) -> Response:
    """uint8 (H, W) or BGR (H, W, 3), sent."""
    return Response(png_bytes(picture), media_type=PNG)


def heat_map_picture(gray: Array, finding: Finding, method: str, caption: bool = True) -> Array:
    """The command's picture of a heat map: uint8 (H, W, 3) BGR. caption: with its line of words."""
    return draw_activation(gray, finding.activations[method], f"{METHODS[method]}: {finding.caption}" if caption else "")


def heat_maps(scans: Mapping[str, Array], answer: Answer, caption: bool = True) -> list[HeatMap]:
    """Every heat map of an answer. scans: gray uint8 (H, W) by modality."""
    found = []
    for finding in answer.findings:
        for method in finding.activations if finding.modality in scans else ():
            picture = png_bytes(heat_map_picture(scans[finding.modality], finding, method, caption))
            found.append(HeatMap(modality=finding.modality, method=method, png_base64=base64.b64encode(picture).decode()))
    return found


def outlines(lung_mask: Array) -> list[Outline]:
    """Of bool (H, W): what the overlay draws."""
    found = []
    for side, lung in zip(SIDES, split_sides(lung_mask), strict=True):
        contours, _ = cv2.findContours(lung.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        found += [Outline(side=side, points=[(int(x), int(y)) for x, y in contour[:, 0]]) for contour in contours]
    return found
