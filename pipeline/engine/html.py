"""HTML of a template that lies beside its module: every value is escaped, and a name that is not given is an error."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.engine.file_names import printable


def render_html(template: Path, **facts: Any) -> str:
    """The template's file with `facts`. Only characters that UTF-8 can write are in it."""
    environment = Environment(
        loader=FileSystemLoader(template.parent), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return printable(environment.get_template(template.name).render(facts))


def png_source(png: bytes) -> str:
    """A PNG's bytes as the `src` of an <img>: the page then needs no file beside it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
