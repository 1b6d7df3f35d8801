"""The page's style and scripts: read once, under an address that has their digest and may be kept for ever."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.service.problems import Problem

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent / "static"
PLACE = "/page/static"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png",
}  # fmt: skip
KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}


@router.get(PLACE + "/{digest}/{name}")
async def static_file(request: Request, digest: str, name: str) -> Response:
    """One of them. Another digest is of another version of the page: 404."""
    found = static_files().get(name)
    if found is None or digest != static_digest():
        raise Problem(404, "http", "There is no such file of the page.", "Load the page anew.")
    return Response(found, headers={"Content-Type": MEDIA_TYPES[Path(name).suffix], **KEPT})


@lru_cache(1)
def static_files() -> dict[str, bytes]:
    """Every file's bytes by its name."""
    return {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in MEDIA_TYPES}


@lru_cache(1)
def static_digest() -> str:
    """Of all of them, for their address: scripts name each other relatively."""
    told = hashlib.sha256()
    for name, content in static_files().items():
        told.update(f"{name}\0{len(content)}\0".encode() + content)
    return told.hexdigest()[:12]


def address_of(name: str) -> str:
    """Where a page asks for it. Raises KeyError where there is none."""
    _ = static_files()[name]
    return f"{PLACE}/{static_digest()}/{name}"
