"""`/validate`: what pictures are, without anything else being done with them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from pydantic import BaseModel, Field

from pipeline.engine.errors import DataError
from pipeline.inference.gate.judgement import judgement, unreadable
from pipeline.service.desk import Ticket
from pipeline.service.endpoints.asking import Slice
from pipeline.service.safety.gatekeeper import request_id_of
from pipeline.service.safety.uploads import FormRoute
from pipeline.service.scans import called
from pipeline.service.service import Upload, service_of

router = APIRouter(tags=["answers"], route_class=FormRoute)


class Judgement(BaseModel):
    """What the gate says of one file, as `validate --json` does."""

    index: int
    name: str | None
    valid: bool
    failed: list[str] = Field(description="What did not pass.")
    message: str
    checks: dict[str, float]
    kind: str | None = Field(description='"xray", "ct" or "neither"; None where it cannot be read.')
    distances: dict[str, float]
    thresholds: dict[str, float]
    header: dict[str, Any] | None = Field(description="What the file's header says of the picture; nothing of a patient.")
    warnings: list[str] = Field(description="What was assumed while it was read.")


class Judgements(BaseModel):
    """Of all files, in their order."""

    results: list[Judgement]
    valid: int
    request_id: str


@router.post("/validate")
async def validate(
    request: Request,
    files: Annotated[list[UploadFile], File(description="Pictures.")],
    modality: Annotated[Literal["xray", "ct"], Form(description="What they should be.")] = "xray",
    slice: Slice = None,
    strict: Annotated[bool, Form(description="Let the nine simple checks refuse, too.")] = False,
) -> Judgements:
    """Tell chest X-rays from CT slices and other pictures. A file that cannot be read is named, and the rest go on."""
    service, gate = service_of(request), service_of(request).models.gate
    names = [called(f"files[{index}]", file.filename) for index, file in enumerate(files)]
    uploads = [Upload(await file.read(), name, slice or None) for name, file in zip(names, files, strict=True)]

    def judged(index: int) -> Judgement:
        header, warnings = None, list[str]()
        try:
            scan = service.decoders.read(*uploads[index])
            said = judgement(gate, scan, modality, strict)
            header = {name: getattr(scan.header, name) for name in type(scan.header).__dataclass_fields__}
            warnings = list(scan.warnings)
        except DataError as error:
            said = unreadable(error)
        return Judgement(index=index, name=files[index].filename, header=header, warnings=warnings, **said)

    def work(ticket: Ticket) -> list[Judgement]:
        found = []
        for index in range(len(uploads)):
            ticket.proceed()
            found.append(judged(index))
        return found

    results = await service.ask(request, work)
    return Judgements(results=results, valid=sum(each.valid for each in results), request_id=request_id_of(request))
