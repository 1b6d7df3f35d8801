"""`bundle amend`: a section of a bundle added, replaced or taken out, its graphs as they are. `bundle gate`: the gate, made."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.asking.bundle_options import AsJson, Quiet
from pipeline.engine.errors import UsageError

if TYPE_CHECKING:
    from pipeline.engine.contract import Stage


def register(app: typer.Typer, stages: Sequence[Stage]) -> None:
    """Adds `bundle amend`."""
    group = typer.Typer(help="A bundle's optional sections.", no_args_is_help=True, rich_markup_mode=None)
    group.callback()(_bundle)
    group.command("amend")(_amend)
    group.command("gate")(_gate)
    app.add_typer(group, name="bundle")


def _bundle() -> None:
    """A bundle's optional sections."""


def _amend(
    bundle: Annotated[Path, typer.Option("--bundle", help="The bundle's folder.")],
    section: Annotated[str, typer.Option("--section", help="gate, seen, calibration or audit.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="The section's JSON, or a folder with SECTION.json and the files it names.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="For gate: fit it on the training and validation scans of a run of s01.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the section out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add or replace one section of a bundle, with the files that it names; all other files keep their bytes."""
    from pipeline.export.amendment import amend_bundle, amend_from_run

    if [source is not None, run is not None, remove].count(True) != 1:
        raise UsageError("Amend with what?", "Give --from FILE or FOLDER, --run DIR, or --remove; one.")
    done = amend_bundle(bundle, section, source) if run is None else amend_from_run(bundle, section, run)
    if as_json:
        typer.echo(json.dumps({"bundle": bundle.as_posix(), **done._asdict()}, indent=2, ensure_ascii=False))
        return
    what = "taken out" if done.version is None else f"written, version {done.version}"
    typer.echo(f"{bundle}: section {section} {what}.")
    for sign, names in (("+", done.added), ("-", done.removed)):
        for name in names:
            typer.echo(f"  {sign} {name}")


def _gate(
    data: Annotated[Path, typer.Option("--data", help="The real scans, with their manifest.csv.")],
    out: Annotated[Path, typer.Option("--out", help="The gate's folder; a bundle there is replaced.")],
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Learn what tells chest X-rays, CT slices and other pictures apart, and say how well it does, out of fold by patient."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline.engine.progress import Reporter
    from pipeline.evaluation.studies.gate_figures import gate_table
    from pipeline.export.gate.gate_bundle import write_gate_bundle

    reporter = Reporter(quiet or as_json)
    reporter.line("every picture passes through the network once: some minutes")
    figures = write_gate_bundle(data, out)
    if as_json:
        typer.echo(json.dumps({"bundle": out.as_posix(), "groups": [figure.document() for figure in figures]}, indent=2))
    else:
        typer.echo(f"{gate_table(figures)}\n{out}")
