"""`/model/info`: what is served, what it reads and names, how well it did, and what is known against it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.inference.answers import CAUTION
from pipeline.inference.bundle import Manifest
from pipeline.inference.trust.audit import SECTION, AuditSection
from pipeline.inference.trust.card import CARD, limits_on
from pipeline.service.models import Served
from pipeline.service.service import service_of

router = APIRouter(tags=["state"])


class TestFigure(BaseModel):
    """A metric on the bundle's own test part, with its 95 % interval by patient."""

    modality: str = Field(description='"xray", "ct" or "paired".')
    metric: str
    value: float
    low: float
    high: float
    scans: int | None = Field(description="Of the test part; pairs for paired.")
    patients: int | None


class KnownShortcut(BaseModel):
    """Something other than the disease that its answers may rest on."""

    sentence: str
    modalities: list[str] = Field(description="Whose answers it speaks of; none: all.")
    source: str = Field(description="Where the figure stands.")


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
    test_figures: list[TestFigure] = Field(description="On scans that neither trained nor chose it.")
    shortcuts: list[KnownShortcut] = Field(description="As its section audit has them.")
    limits: list[str] = Field(description="As its card has them.")
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
    bundles = [bundle_info(each, each is default) for each in models.by_name.values()]
    return ModelInfo(bundles=bundles, gate=models.gate.thresholds)


def bundle_info(served: Served, is_default: bool = False) -> BundleInfo:
    """What is told of one bundle. Raises CorruptArtifactError, StaleArtifactError for a section that cannot be read."""
    opened, manifest = served.guarded, served.guarded.manifest
    path = opened.path / CARD
    card = path.read_text(encoding="utf-8") if path.is_file() else None
    audit = opened.bundle.section(SECTION, AuditSection) or AuditSection()
    return BundleInfo(
        name=served.name, version=served.version, system=opened.system, asked_by=f"/{served.command}", reads=list(opened.doors),
        modalities=list(opened.modalities), class_names=list(manifest.class_names), positive_class=manifest.positive_class,
        threshold=manifest.threshold, heat_maps=list(opened.methods), has_features=opened.has_features, is_default=is_default,
        test_figures=_test_figures(manifest), shortcuts=[KnownShortcut(**each.model_dump()) for each in audit.shortcuts],
        limits=limits_on(card or ""), figures=manifest.figures, card=card,
    )  # fmt: skip


def _test_figures(manifest: Manifest) -> list[TestFigure]:
    return [
        TestFigure(modality=part.modality, metric=name, **figure._asdict(), scans=part.rows, patients=part.patients)
        for part in manifest.scored_parts() for name, figure in part.figures.items()
    ]  # fmt: skip
