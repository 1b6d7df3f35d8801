"""`bundle amend`: a section of a bundle added, replaced or taken out. `bundle gate`: the gate, learnt and written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.telling.document import AsJson, Quiet, tell
from pipeline.engine.errors import UsageError
from pipeline.engine.progress import Reporter
from pipeline.export.amendment import Amendment, amend_bundle, amend_from_run


def amend(
    bundle: Annotated[Path, typer.Option("--bundle", help="The bundle's folder.")],
    section: Annotated[str, typer.Option("--section", help="gate, seen, calibration or audit.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="The section's JSON, or a folder with SECTION.json and the files it names.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="For gate and seen: made of the training and validation scans of a run's s01.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the section out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add or replace one section of a bundle, with the files that it names; all other files keep their bytes."""
    if [source is not None, run is not None, remove].count(True) != 1:
        raise UsageError("Amend with what?", "Give --from FILE or FOLDER, --run DIR, or --remove; one.")
    done = amend_bundle(bundle, section, source) if run is None else amend_from_run(bundle, section, run)
    tell(as_json, {"bundle": bundle.as_posix(), **done._asdict()}, lambda: _words(bundle, section, done))


def _words(bundle: Path, section: str, done: Amendment) -> str:
    what = "taken out" if done.version is None else f"written, version {done.version}"
    files = [f"  {sign} {name}" for sign, names in (("+", done.added), ("-", done.removed)) for name in names]
    return "\n".join([f"{bundle}: section {section} {what}.", *files])


def gate(
    data: Annotated[Path, typer.Option("--data", help="The real scans, with their manifest.csv.")],
    out: Annotated[Path, typer.Option("--out", help="The gate's folder; a bundle there is replaced.")],
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Learn what tells X-rays, CT slices and other pictures apart, and say how well, out of fold by patient."""
    from pipeline.evaluation.studies.gate_figures import gate_table
    from pipeline.export.gate.gate_bundle import write_gate_bundle

    Reporter(quiet or as_json).line("every picture passes through the network once: some minutes")
    figures = write_gate_bundle(data, out)
    document = {"bundle": out.as_posix(), "groups": [figure.document() for figure in figures]}
    tell(as_json, document, lambda: f"{gate_table(figures)}\n{out}")
