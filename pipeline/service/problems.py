"""Errors as problem documents (RFC 9457): what is wrong and how to mend it, with the request's id, never a trace."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from pipeline.engine.errors import DataError, PipelineError, UsageError
from pipeline.service.running import logs

MEDIA_TYPE = "application/problem+json"
KINDS = "urn:respiratory:problem:"


class Problem(HTTPException):
    """A refusal. An HTTPException, so that what is raised while a body is read comes through whoever reads it."""

    def __init__(
        self, status: int, kind: str, detail: str, remedy: str = "", headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:  # fmt: skip
        """kind: a fixed word. more: further members of the document."""
        super().__init__(status, detail, dict(headers or {}))
        self.kind, self.remedy, self.more = kind, remedy, more

    def document(self, request_id: str) -> dict[str, Any]:
        """The problem's members."""
        return {
            "type": f"{KINDS}{self.kind}", "title": HTTPStatus(self.status_code).phrase, "status": self.status_code,
            "detail": self.detail, "remedy": self.remedy, "request_id": request_id, **self.more,
        }  # fmt: skip

    def model(self, request_id: str) -> ProblemDocument:
        """The same, where it is part of an answer."""
        return ProblemDocument.model_validate(self.document(request_id))

    def response(self, request_id: str) -> JSONResponse:
        """As it is sent."""
        return JSONResponse(self.document(request_id), self.status_code, self.headers, MEDIA_TYPE)


class Belongs(BaseModel):
    """Where a scan belongs that was given as something else."""

    kind: str = Field(description='What the gate took it for: "xray", "ct" or "neither".')
    field: str | None = Field(description="The form field for it, None where no bundle here reads it.")
    bundles: list[str] = Field(description="The bundles here that read it.")


class ProblemDocument(BaseModel):
    """A refusal (RFC 9457)."""

    model_config = ConfigDict(extra="allow")
    type: str = Field(description="A URN that stays the same for the same kind of problem.")
    title: str
    status: int
    detail: str = Field(description="What is wrong.")
    remedy: str = Field(description="How to mend it.")
    request_id: str = Field(description="The id that the log has it under.")
    belongs: Belongs | None = Field(default=None, description="Of a scan that was given as something else.")


def problem_of(error: PipelineError, request_id: str) -> Problem:
    """The refusal that an expected error is: of the client's data or call, or of a model or a machine that cannot answer at
    present; of that the log tells where it was raised."""
    if isinstance(error, DataError):
        return Problem(422, "unusable-scan", error.message, error.remedy)
    if isinstance(error, UsageError):
        return Problem(422, "not-answerable", error.message, error.remedy)
    logs.tell_bug("cannot answer", error, request_id=request_id)
    return unavailable("model", "It cannot be answered at present.", "Tell whoever runs the service the request's id.")


def unavailable(kind: str, detail: str, remedy: str, after_s: int = 1) -> Problem:
    """503, with the seconds after which to try again."""
    return Problem(503, kind, detail, remedy, {"Retry-After": str(max(1, after_s))})


def unknown_bundle(name: str, known: list[str]) -> Problem:
    """404 for a name that is not among those known."""
    return Problem(404, "unknown-bundle", f"There is no bundle {name[:64]!r}.", f"There are: {', '.join(known)}.")
