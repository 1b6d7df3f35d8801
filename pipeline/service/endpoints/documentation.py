"""`/docs`: every call as a page that needs neither a script nor a network; made of the OpenAPI document."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader
from starlette.responses import HTMLResponse, Response

router = APIRouter(include_in_schema=False)
TEMPLATES = Path(__file__).parent
POLICY = "default-src 'none'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


@router.get("/docs")
async def documentation(request: Request) -> Response:
    """The page."""
    page = _environment().get_template("documentation.html.j2")
    document = request.app.openapi()
    text = page.render(document=document, calls=list(_calls(document)))
    return HTMLResponse(text, headers={"Content-Security-Policy": POLICY})


@lru_cache(1)
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)


def _calls(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Method, path, what it does, its fields, and what it answers."""
    found = []
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            content = call.get("requestBody", {}).get("content", {})
            form = _named(document, next((each["schema"] for each in content.values()), {}))
            answer = _named(document, call["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {}))
            found.append({
                "method": method.upper(), "path": path, "told": call.get("description", call.get("summary", "")),
                "fields": form.get("properties", {}), "required": form.get("required", []),
                "answer": answer.get("properties", {}),
                "refusals": {status: told["description"] for status, told in call["responses"].items() if status != "200"},
            })  # fmt: skip
    return found


def _named(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, or the one that it points to."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found
