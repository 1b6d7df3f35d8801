"""`bundle amend`: a section of a bundle added, replaced or taken out, its graphs as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.telling.document import AsJson, tell
from pipeline.engine.errors import UsageError
from pipeline.export.amendment import Amendment, amend_bundle


def amend(
    bundle: Annotated[Path, typer.Option("--bundle", help="The bundle's folder.")],
    section: Annotated[str, typer.Option("--section", help="gate, seen, calibration or audit.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="The section's JSON, or a folder with SECTION.json and the files it names.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the section out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add or replace one section of a bundle, with the files that it names; all other files keep their bytes."""
    if (source is None) != remove:
        raise UsageError("Amend with what?", "Give --from FILE or FOLDER, or --remove; one.")
    done = amend_bundle(bundle, section, source)
    tell(as_json, {"bundle": bundle.as_posix(), **done._asdict()}, lambda: _words(bundle, section, done))


def _words(bundle: Path, section: str, done: Amendment) -> str:
    what = "taken out" if done.version is None else f"written, version {done.version}"
    files = [f"  {sign} {name}" for sign, names in (("+", done.added), ("-", done.removed)) for name in names]
    return "\n".join([f"{bundle}: section {section} {what}.", *files])
