"""`bundle amend`: a section of a bundle added, replaced or taken out, its graphs as they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.asking.bundle_options import AsJson
from pipeline.engine.errors import UsageError

if TYPE_CHECKING:
    from pipeline.engine.contract import Stage


def register(app: typer.Typer, stages: Sequence[Stage]) -> None:
    """Adds `bundle amend`."""
    group = typer.Typer(help="A bundle's optional sections.", no_args_is_help=True, rich_markup_mode=None)
    group.callback()(_bundle)
    group.command("amend")(_amend)
    app.add_typer(group, name="bundle")


def _bundle() -> None:
    """A bundle's optional sections."""


def _amend(
    bundle: Annotated[Path, typer.Option("--bundle", help="The bundle's folder.")],
    section: Annotated[str, typer.Option("--section", help="gate, seen, calibration or audit.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="The section's JSON, or a folder with SECTION.json and the files it names.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the section out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add or replace one section of a bundle, with the files that it names; all other files keep their bytes."""
    from pipeline.export.amendment import amend_bundle

    if (source is None) != remove:
        raise UsageError("Amend with what?", "Give --from FILE or FOLDER, or --remove; one.")
    done = amend_bundle(bundle, section, source)
    if as_json:
        typer.echo(json.dumps({"bundle": bundle.as_posix(), **done._asdict()}, indent=2, ensure_ascii=False))
        return
    what = "taken out" if done.version is None else f"written, version {done.version}"
    typer.echo(f"{bundle}: section {section} {what}.")
    for sign, names in (("+", done.added), ("-", done.removed)):
        for name in names:
            typer.echo(f"  {sign} {name}")
