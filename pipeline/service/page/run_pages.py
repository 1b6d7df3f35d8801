"""`/runs`: the runs that `serve --run` names; of each its stages, reports, figures and tables, read and never written."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.engine.errors import MissingArtifactError, PipelineError
from pipeline.service.page.rendering import page
from pipeline.service.problems import Problem
from pipeline.service.runs import documents, tables
from pipeline.service.runs.reports import html_of
from pipeline.service.runs.run_files import MOST_BYTES, AbsentError, RunFile, content_of, opened
from pipeline.service.runs.run_view import RunView, file_at, view_of
from pipeline.service.runs.runs import Runs
from pipeline.service.runs.served_run import ServedRun

router = APIRouter(include_in_schema=False)
PLACE = "/runs"
READ_ONLY = ["GET", "HEAD"]
MEDIA_TYPES = {"report": "text/plain; charset=utf-8", "figure": "image/png", "table": "text/csv; charset=utf-8",
               "document": "application/json"}  # fmt: skip
_PNG_HEAD = struct.Struct(">8s8xII")
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Shown:
    """A file as a page shows it. read, raw: the addresses of its page and of its bytes. pixels: width and height of a figure.
    withheld: why it is not shown."""

    file: RunFile
    read: str
    raw: str
    pixels: tuple[int, int] | None = None
    withheld: str = ""

    @property
    def title(self) -> str:
        """Its name as words."""
        return self.file.file.rpartition(".")[0].replace("_", " ").replace("/", ": ")


def _or_absent(call: Callable[..., Response]) -> Callable[..., Response]:
    """What is not there (any more) as a page for a browser, as a problem document for others: 404; 503 for a broken record."""

    @wraps(call)
    def answer(request: Request, **named: Any) -> Response:
        try:
            return call(request, **named)
        except AbsentError as absent:
            status, detail, remedy = 404, str(absent), ""
        except MissingArtifactError:
            status, detail, remedy = 404, "The run is no longer there.", ""
        except PipelineError as error:
            status, detail, remedy = 503, error.message, error.remedy
        if "text/html" in request.headers.get("accept", ""):
            return page(request, "runs/absent.html.j2", status, detail=detail, remedy=remedy)
        raise Problem(status, "run", detail, remedy or "See /runs.")

    return answer


@router.api_route(PLACE, methods=READ_ONLY)
@_or_absent
def runs(request: Request) -> Response:
    """Those that are served, and how far each one is."""
    served = _runs(request)
    found: list[tuple[str, str, RunView | None]] = []
    for name, run in served.by_name.items():
        try:
            found.append((name, _address(run), view_of(run, served.surveys)))
        except PipelineError:
            found.append((name, _address(run), None))
    return page(request, "runs/list.html.j2", runs=found)


@router.api_route(PLACE + "/{name}", methods=READ_ONLY)
@_or_absent
def run_page(request: Request, name: str) -> Response:
    """One run."""
    served = _runs(request)
    run = served.named(name)
    view = view_of(run, served.surveys)
    stages = [(stage, [_shown(run, file) for file in stage.files]) for stage in view.stages]
    return page(request, "runs/run.html.j2", run=view, stages=stages)


@router.api_route(PLACE + "/{name}/read/{place:path}", methods=READ_ONLY)
@_or_absent
def read(request: Request, name: str, place: str) -> Response:
    """A report, a table or a document as a page."""
    run = _runs(request).named(name)
    file = file_at(run, place)
    facts: dict[str, Any] = {"name": name, "address": _address(run), "shown": _shown(run, file)}
    if file.kind == "report":
        report = html_of(content_of(run.root, file).decode("utf-8", "replace"), file.place)
        return page(request, "runs/report.html.j2", report=report, **facts)
    if file.kind == "table":
        with opened(run.root, file, tables.MOST_BYTES) as stream:
            return page(request, "runs/table.html.j2", table=tables.table_of(stream), **facts)
    if file.kind == "document":
        with opened(run.root, file, documents.MOST_BYTES) as stream:
            return page(request, "runs/document.html.j2", document=documents.document_of(stream.read()), **facts)
    raise AbsentError(f"{file.place} is a figure: it has no page of its own.")


@router.api_route(PLACE + "/{name}/file/{place:path}", methods=READ_ONLY)
@_or_absent
def raw(request: Request, name: str, place: str) -> Response:
    """The bytes of a file, as its stage wrote them."""
    run = _runs(request).named(name)
    file = file_at(run, place)
    content = content_of(run.root, file)
    if file.kind == "table":
        tables.table_of(io.BytesIO(content))
    called = quote(f"{name}_{file.stage}_{PurePosixPath(file.file).name}", safe="")
    kept = "attachment" if file.kind == "table" else "inline"
    headers = {"Content-Type": MEDIA_TYPES[file.kind], "Content-Disposition": f"{kept}; filename*=UTF-8''{called}"}
    return Response(content, headers=headers)


def _runs(request: Request) -> Runs:
    found: Runs = request.app.state.runs
    return found


def _address(run: ServedRun) -> str:
    return f"{PLACE}/{quote(run.name, safe='')}"


def _shown(run: ServedRun, file: RunFile) -> Shown:
    place = quote(file.place)
    shown = Shown(file, f"{_address(run)}/read/{place}", f"{_address(run)}/file/{place}")
    try:
        with opened(run.root, file, tables.MOST_BYTES if file.kind == "table" else MOST_BYTES) as stream:
            if file.kind == "table":
                tables.table_of(stream)
            if file.kind == "figure":
                return replace(shown, pixels=_pixels(stream.read(_PNG_HEAD.size)))
    except AbsentError as absent:
        return replace(shown, withheld=str(absent))
    return shown


def _pixels(head: bytes) -> tuple[int, int]:
    """Width and height. Raises AbsentError for what is no PNG."""
    if len(head) < _PNG_HEAD.size or not head.startswith(_PNG):
        raise AbsentError("It is no PNG.")
    _, width, height = _PNG_HEAD.unpack(head)
    return width, height
