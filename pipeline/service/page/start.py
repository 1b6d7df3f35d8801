"""`/`: the page, empty or with an answer; `/page/answer` and `/page/rows`: the same answers as parts of it, for its script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import Response
from starlette.types import Scope

from pipeline.engine.errors import DataError, UsageError
from pipeline.service.desk import Ticket
from pipeline.service.page.asking import SURE_FROM, ask
from pipeline.service.page.examples import EXAMPLES, PLACE
from pipeline.service.page.form import AUTO, HEAT, Asked, Given, GivenAs, asked_for, is_many
from pipeline.service.page.looking import Looked, look
from pipeline.service.page.rendering import page
from pipeline.service.page.telling import case_facts, row_facts
from pipeline.service.problems import Problem
from pipeline.service.safety.gatekeeper import request_id_of
from pipeline.service.safety.uploads import FormRoute
from pipeline.service.service import Service, Upload, service_of

router = APIRouter(include_in_schema=False, route_class=FormRoute)
Scans = Annotated[list[UploadFile], File()]
Field = Annotated[str | None, Form()]
SURE = f"{100 * SURE_FROM:.0f} %"
Drawn = Annotated[list[str], Form()]


@router.get("/")
async def start(request: Request) -> Response:
    """The page."""
    return page(request, "start.html.j2", **_facts(service_of(request)))


@router.post("/")
async def answer_page(
    request: Request, scans: Scans = [], given_as: Annotated[GivenAs, Form()] = "auto", note: Field = None,  # noqa: B006
    bundle: Field = None, draw: Drawn = [], example: Field = None, slice: Field = None,  # noqa: B006
) -> Response:  # fmt: skip
    """The page with an answer, for a browser without a script."""
    service = service_of(request)
    try:
        asked = await asked_for(service, scans, given_as, note, bundle, draw, example, slice)
        facts = await _told(request, service, asked)
    except Problem as problem:
        return _refused(request, problem)
    return page(request, "start.html.j2", **_facts(service), **facts)


@router.post("/page/answer")
async def answer_part(
    request: Request, scans: Scans = [], given_as: Annotated[GivenAs, Form()] = "auto", note: Field = None,  # noqa: B006
    bundle: Field = None, draw: Drawn = [], slice: Field = None,  # noqa: B006
) -> Response:  # fmt: skip
    """The answer alone, or a table of answers."""
    service = service_of(request)
    facts = await _told(request, service, await asked_for(service, scans, given_as, note, bundle, draw, None, slice))
    return page(request, "result.html.j2", **facts)


@router.post("/page/rows")
async def rows_part(
    request: Request, scans: Scans = [], given_as: Annotated[GivenAs, Form()] = "auto", bundle: Field = None,  # noqa: B006
    first: Annotated[int, Form()] = 0, frame: Annotated[bool, Form()] = False, slice: Field = None,
) -> Response:  # fmt: skip
    """Rows of the table of many: each file a case of its own. first: the place of the first among all. frame: the table, too."""
    service = service_of(request)
    asked = await asked_for(service, scans, given_as, None, bundle, (), None, slice)

    def work(ticket: Ticket) -> list[dict[str, Any]]:
        return _rows(service, asked, _looked(service, asked.scans, ticket), ticket, request_id_of(request), first)

    return page(request, "table.html.j2" if frame else "rows.html.j2", rows=await service.ask(request, work), sure_from=SURE)


def refusal(scope: Scope, problem: Problem, request_id: str) -> Response:
    """How a refusal is sent before anything is read: beside the form to a browser that sent the form, else as a document."""
    request = Request(scope)
    if scope["path"] != "/" or "text/html" not in request.headers.get("accept", ""):
        return problem.response(request_id)
    answer = _refused(request, problem)
    answer.headers.update(problem.headers or {})
    return answer


def _refused(request: Request, problem: Problem) -> Response:
    told = {"problem": {"detail": str(problem.detail), "remedy": problem.remedy}}
    return page(request, "start.html.j2", problem.status_code, **_facts(service_of(request)), **told)


async def _told(request: Request, service: Service, asked: Asked) -> dict[str, Any]:
    """Facts for `result.html.j2`. Raises Problem where nothing was given."""
    if not asked.scans and asked.note is None:
        raise Problem(422, "nothing-given", "No scan was chosen.", "Choose a file first.")

    def work(ticket: Ticket) -> dict[str, Any]:
        looked, request_id = _looked(service, asked.scans, ticket), request_id_of(request)
        kinds = [each.kind if asked.given_as == AUTO else asked.given_as for each in looked]
        if is_many(asked, kinds):
            return {"rows": _rows(service, asked, looked, ticket, request_id, 0), "sure_from": SURE}
        outcome = ask(service, asked, looked, request_id, methods=int(HEAT in asked.drawn))
        ticket.proceed()
        return {"case": case_facts(service.models, asked, looked, outcome)}

    return await service.ask(request, work)


def _looked(service: Service, scans: Sequence[Given], ticket: Ticket) -> list[Looked]:
    """Each file read, beside each other, and judged."""
    reading = [service.begin_reading(Upload(each.content, each.called, each.slice)) if each.content else None for each in scans]
    found = []
    for given, coming in zip(scans, reading, strict=True):
        ticket.proceed()
        if coming is None:
            found.append(Looked(given, error="empty file (zero bytes)."))
            continue
        try:
            found.append(look(given, service.models.gate, coming.result()))
        except (DataError, UsageError) as error:  # a slice that is not there
            found.append(look(given, service.models.gate, error))
    return found


def _rows(
    service: Service, asked: Asked, looked: Sequence[Looked], ticket: Ticket, request_id: str, first: int
) -> list[dict[str, Any]]:  # fmt: skip
    rows = []
    for place, each in enumerate(looked):
        ticket.proceed()
        rows.append(row_facts(each, ask(service, asked, [each], request_id), first + place))
    return rows


def _facts(service: Service) -> dict[str, Any]:
    """What the form is made of: bundles, limits, examples."""
    served = list(service.models.by_name.values()) if service.ready else []
    return {
        "bundles": [
            {"name": each.name, "classes": list(each.guarded.manifest.class_names), "modalities": list(each.guarded.modalities),
             "reads_note": "note" in each.doors}
            for each in served
        ],
        "limits": service.settings.limits, "has_keys": service.settings.keys is not None, "ready": service.ready,
        "examples": EXAMPLES, "examples_place": PLACE, "reads_notes": any("note" in each.doors for each in served),
    }  # fmt: skip
