"""Whether the service lives, whether it is ready, and what it counted."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from pipeline.service.problems import unavailable
from pipeline.service.running.metrics import exposition
from pipeline.service.service import service_of

router = APIRouter(tags=["state"])


class Health(BaseModel):
    """The documents' four fields."""

    status: Literal["healthy", "starting", "stopping"]
    model_loaded: bool
    device: str = Field(description='"cpu" or "cuda"; "none" before the models are opened.')
    model_version: str | None = Field(description="Of the bundle that /predict asks of one image by default.")
    bundles: list[str] = Field(description="The names of what is served.")


class Ready(BaseModel):
    """The models are verified and have answered once."""

    status: Literal["ready"] = "ready"
    bundles: dict[str, str] = Field(description="The version of each, by name.")


@router.get("/health")
async def health(request: Request) -> Health:
    """Whether it lives: 200 as long as it can answer at all."""
    service = service_of(request)
    if not service.ready:
        state: Literal["stopping", "starting"] = "stopping" if service.stopping else "starting"
        return Health(status=state, model_loaded=False, device="none", model_version=None, bundles=[])
    served = service.models.default()
    version = served.version if served is not None else None
    device = str(service.models.gate.placement["device"])
    return Health(status="healthy", model_loaded=True, device=device, model_version=version, bundles=list(service.models.by_name))


@router.get("/ready")
async def ready(request: Request) -> Ready:
    """Whether it can be asked: 503 until the models are verified and warm, and when it stops."""
    service = service_of(request)
    if not service.ready:
        what = "stopping" if service.stopping else "starting"
        raise unavailable(what, f"The service is {what}.", "Try again, or ask another one.")
    return Ready(bundles={name: served.version for name, served in service.models.by_name.items()})


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
async def metrics() -> Response:
    """What was counted and timed, for Prometheus."""
    text, media_type = exposition()
    return Response(text, media_type=media_type)
