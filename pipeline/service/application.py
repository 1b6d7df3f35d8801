"""The application: endpoints within their gatekeeper, refusals as problem documents, models opened while it already lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from pipeline.engine.errors import PipelineError
from pipeline.inference.answers import CAUTION
from pipeline.service.endpoints import batch, classify, documentation, health, model_info, predict, segment, validate
from pipeline.service.page import examples, run_pages, start, static_files
from pipeline.service.problems import MEDIA_TYPE, Problem, ProblemDocument, problem_of
from pipeline.service.running import logs
from pipeline.service.runs.runs import Runs
from pipeline.service.safety.gatekeeper import REQUEST_ID, Gatekeeper, request_id_of
from pipeline.service.safety.keys import read_keys
from pipeline.service.service import Service
from pipeline.service.settings import ServiceSettings
from pipeline.version import __version__

ROUTERS = tuple(
    part.router
    for part in (
        health, model_info, predict, batch, segment, classify, validate, documentation, start, examples, static_files, run_pages,
    )
)
REFUSALS = {
    400: "Another host, or no form that can be read.", 401: "No key, or a wrong one.", 404: "No such bundle, or no such place.",
    408: "Sent too slowly.", 413: "Larger than is taken.", 415: "No multipart/form-data, or an encoded body.",
    422: "It cannot be answered: the fields, the scan, or what the scan is.", 429: "Too often.",
    503: "No free place, no answer in time, or not ready: try again after Retry-After seconds.",
}  # fmt: skip


def make_application(
    settings: ServiceSettings, failed: Callable[[], None] = lambda: None, *, joins: bool = False
) -> FastAPI:  # fmt: skip
    """The ASGI application of one worker. failed: called where the models cannot be opened. joins: other workers answer
    already, so that this one takes nothing before its models are ready.

    Raises as `read_keys` and `Runs`.
    """
    logs.silence()
    service, runs = Service(settings), Runs(settings.runs, settings.stages)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        opening = service.begin(failed)
        if joins:
            await asyncio.to_thread(opening.join)
        yield
        service.stopping = True
        opening.join(settings.grace_s)
        service.close()

    application = FastAPI(
        title="Respiratory scans", version=__version__, description=CAUTION, lifespan=lifespan, docs_url=None, redoc_url=None,
        responses=_documented(),
    )  # fmt: skip
    application.state.service, application.state.settings, application.state.runs = service, settings, runs
    for router in ROUTERS:
        application.include_router(router)
    application.add_exception_handler(HTTPException, _refused)
    application.add_exception_handler(RequestValidationError, _misfit)
    application.add_exception_handler(PipelineError, _expected)
    application.add_middleware(
        Gatekeeper, settings=settings, keys=read_keys(settings.keys) if settings.keys is not None else None, desk=service.desk,
        told=start.refusal,
    )  # fmt: skip
    if settings.origins:
        application.add_middleware(
            CORSMiddleware, allow_origins=list(settings.origins), allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "X-API-Key"], expose_headers=[REQUEST_ID, "Retry-After"],
        )  # fmt: skip
    return application


def _documented() -> dict[int | str, dict[str, Any]]:
    schema = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    return {
        status: {"description": told, "content": {MEDIA_TYPE: {"schema": schema}}} for status, told in REFUSALS.items()
    }


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if not isinstance(error, Problem):
        remedy = "See /docs." if error.status_code in (404, 405) else ""
        error = Problem(error.status_code, "http", str(error.detail), remedy, error.headers)
    return error.response(request_id_of(request))


async def _misfit(request: Request, error: Exception) -> Response:
    """What does not fit a field: named, and not quoted."""
    assert isinstance(error, RequestValidationError)
    told = [f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}" for fault in error.errors()]
    return Problem(422, "fields", "; ".join(told), "See /docs.").response(request_id_of(request))


async def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, PipelineError)
    request_id = request_id_of(request)
    return problem_of(error, request_id).response(request_id)
