"""A template as an answer: in the browser's language, under a policy that lets in nothing but the service's own files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from pipeline.engine.file_names import printable
from pipeline.inference.answers import CAUTION
from pipeline.service.page.languages import language_of, words_of
from pipeline.service.page.static_files import address_of
from pipeline.version import __version__

TEMPLATES = Path(__file__).parent / "templates"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def page(request: Request, template: str, status: int = 200, **facts: Any) -> HTMLResponse:
    """A template of this folder with `facts`; it has `t` (see `Words`), `language`, `address_of`, `has_runs`, `version` and
    `caution`, too.

    Raises jinja2.UndefinedError for a name that it was not given.
    """
    words = words_of(language_of(request.headers.get("accept-language", "")))
    told = {
        "t": words, "language": words.language, "address_of": address_of, "version": __version__, "caution": CAUTION,
        "has_runs": bool(request.app.state.runs.by_name),
    }  # fmt: skip
    text = printable(_environment().get_template(template).render(told | facts))
    headers = {"Content-Security-Policy": POLICY, "Content-Language": words.language, "Vary": "Accept-Language"}
    return HTMLResponse(text, status, headers)


@lru_cache(1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
