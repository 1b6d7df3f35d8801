"""The fields that several calls have, and what stands in them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, UploadFile

from pipeline.service.problems import Problem
from pipeline.service.scans import called
from pipeline.service.service import Service, Upload

Note = Annotated[str | None, Form(description="What is written of the case.")]
BundleName = Annotated[str | None, Form(description="The bundle to ask, one of /model/info; the default one else.")]
Gate = Annotated[bool, Form(description="Ask what the scan is, and refuse what is not what it is given as.")]


async def upload_of(field: str, upload: UploadFile, service: Service) -> Upload:
    """Its bytes, and what messages call it. Raises Problem (422) for an empty one."""
    content = await upload.read()
    if not content:
        raise Problem(422, "empty-file", f"{field}: empty file (zero bytes).", "Send the file itself.")
    return content, called(field, upload.filename)


def note_of(note: str | None, service: Service) -> str | None:
    """The note, None for an empty one. Raises Problem (413) for one that is too long."""
    most = service.settings.limits.note_characters
    if note is not None and len(note) > most:
        raise Problem(413, "too-large", f"The note has {len(note):,} characters, at most {most:,} are read.", "Shorten it.")
    return note or None
