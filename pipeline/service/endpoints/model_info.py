"""`/model/info`: what is served, what it reads and names, how well it did, and what is known against it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.inference.answers import CAUTION
from pipeline.service.models import Served
from pipeline.service.service import service_of

router = APIRouter(tags=["state"])
CARD = "MODEL_CARD.md"


class BundleInfo(BaseModel):
    """One bundle."""

    name: str
    version: str
    system: str
    asked_by: str = Field(description="The call that asks it, beside /predict.")
    reads: list[str] = Field(description='"image", "xray", "ct", "note".')
    modalities: list[str]
    class_names: list[str]
    positive_class: str | None
    threshold: float | None
    heat_maps: list[str] = Field(description="The methods that it draws.")
    has_features: bool
    is_default: bool = Field(description="Whether /predict asks it about one image, where it is not told otherwise.")
    figures: dict[str, Any] = Field(description="What it scored, as its description has it.")
    card: str | None = Field(description="Its model card, in Markdown.")


class ModelInfo(BaseModel):
    """All that is served."""

    bundles: list[BundleInfo]
    gate: dict[str, float] = Field(description="The gate's thresholds by kind.")
    caution: str = CAUTION


@router.get("/model/info")
async def model_info(request: Request) -> ModelInfo:
    """What is served."""
    models = service_of(request).models
    default = models.default()
    return ModelInfo(bundles=[_info(each, each is default) for each in models.by_name.values()], gate=models.gate.thresholds)


def _info(served: Served, is_default: bool) -> BundleInfo:
    opened, manifest = served.guarded, served.guarded.manifest
    card = opened.path / CARD
    return BundleInfo(
        name=served.name, version=served.version, system=opened.system, asked_by=f"/{served.command}", reads=list(opened.doors),
        modalities=list(opened.modalities), class_names=list(manifest.class_names), positive_class=manifest.positive_class,
        threshold=manifest.threshold, heat_maps=list(opened.methods), has_features=opened.has_features, is_default=is_default,
        figures=manifest.figures, card=card.read_text(encoding="utf-8") if card.is_file() else None,
    )  # fmt: skip
