"""`doctor`: what this machine has and lacks."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.padding import Padding

from pipeline.cli.doctor.finding import Finding, Request
from pipeline.cli.run.commands import RUNS_FOLDER
from pipeline.cli.telling.document import AsJson, tell
from pipeline.cli.telling.tables import plain_table, show

SCHEMA_VERSION = 1
WORDS = {"ok": "ok", "told": "", "lack": "lacks", "broken": "BROKEN"}


# Area → "module:function" of what looks at it, in the order in which it is told; each takes the request.
_HERE = "pipeline.cli.doctor"
EXAMINATIONS = {
    "packages": f"{_HERE}.packages:examine_packages",
    "processor": f"{_HERE}.processor:examine_processor",
    "runtimes": f"{_HERE}.runtimes:examine_runtimes",
    "weights": f"{_HERE}.weights:examine_weights",
    "folders": f"{_HERE}.folders:examine_folders",
}


def doctor(
    out: Annotated[Path, typer.Option("--out", help="Where runs are to be made.")] = RUNS_FOLDER,
    tensorflow: Annotated[
        bool, typer.Option("--tensorflow", help="Import TensorFlow too, and say what it sees: some seconds.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what this machine has and lacks, what each lack costs, and how to mend it.

    Nothing is changed, and nothing is fetched. The command fails only where answering is broken: where a package that every
    answer needs or the gate is gone (exit code 2), or a file of a shipped bundle was changed (5).
    """
    request = Request(out, tensorflow)
    found = [(area, finding) for area, place in EXAMINATIONS.items() for finding in _examined(area, place, request)]
    document = {
        "schema_version": SCHEMA_VERSION,
        "answers": all(finding.state != "broken" for _, finding in found),
        "findings": [{"area": area, **finding.document} for area, finding in found],
    }
    tell(as_json, document, lambda: _show([finding for _, finding in found]))
    for _, finding in found:
        if finding.state == "broken":
            raise finding.error(f"{finding.subject}: {finding.told}; {finding.cost}.", f"To mend it: {finding.mend}")


def _examined(area: str, place: str, request: Request) -> list[Finding]:
    """What is found there; that nothing can be found, where a package lacks that looking needs."""
    module, _, function = place.partition(":")
    try:
        return getattr(importlib.import_module(module), function)(request)
    except ModuleNotFoundError as absent:
        mend = f"python -m pip install {absent.name}"
        return [Finding(area, "lack", f"not looked at: {absent.name} is not installed", "what is there is not known", mend)]


def _show(found: Sequence[Finding]) -> None:
    show(plain_table(("", "what", "here"), [(WORDS[one.state], one.subject, one.told) for one in found]))
    lacking = [one for one in found if one.state in ("lack", "broken")]
    if not lacking:
        show("Nothing is lacking.")
        return
    show(f"{len(lacking)} {'thing is' if len(lacking) == 1 else 'things are'} lacking:")
    for one in lacking:
        show(Padding(f"{one.subject}: {one.cost}.", (0, 0, 0, 2)), Padding(f"To mend it: {one.mend}", (0, 0, 0, 4)))
