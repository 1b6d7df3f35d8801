"""`data check`: what a folder of scans is taken for, what is in it, and what would go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.asking.data_options import Labels, LayoutChoice, ListName, ModalityChoice, recognise_given
from pipeline.cli.telling.document import AsJson, Quiet, tell
from pipeline.cli.telling.tables import TitledTable, show
from pipeline.data.recognition.findings import Findings, check_data
from pipeline.engine.errors import DataError
from pipeline.engine.invocation import command_line, entry
from pipeline.engine.listing import counted
from pipeline.engine.progress import Reporter
from pipeline.systems import system_suiting

SAID = {"refused": "a run would refuse", "warned": "a run would warn", "asked": "init will ask"}


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The scans; they are only read.")],
    layout: LayoutChoice = None,
    table: ListName = None,
    modality: ModalityChoice = None,
    labels: Labels = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = 2,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Say what a folder of scans is taken for, what is in it, and what would go wrong.

    Every scan is read once; it ends with the command that comes next, and with exit code 4 where a run would refuse the data.
    """
    recognised = recognise_given(folder, layout, table, modality, labels)
    reporter = Reporter(quiet or as_json)
    found = check_data(recognised, workers, lambda scans: reporter.track(scans, len(scans), "scans"))
    document = found.document() | {"next": next_command(found, layout.value if layout else None)}
    tell(as_json, document, lambda: _show(document))
    if found.refused:
        raise DataError(f"{folder}: {counted(len(found.refused), 'thing')} to mend before a run.", f"Then: {document['next']}")


def next_command(found: Findings, layout: str | None = None) -> str:
    """What is typed next: the check again while something is to be mended, then `init`, the words in capitals filled in.

    layout: as it was said.
    """
    recognised = found.recognised
    table = recognised.choice.table
    said = ["--list", table] if table else ["--layout", layout] if layout else []
    settings = recognised.settings
    for name in ("modality", "modalities"):
        if name in settings:
            said += ["--modality", settings[name] if isinstance(settings[name], str) else settings[name][0]]
    for old, new in settings.get("labels", {}).items():
        said += ["--label", f"{old}={new}"]
    if found.refused:
        return command_line([*entry(), "data", "check", str(recognised.root), *said])
    document = found.document()
    said += ["--modality", "MODALITY"] if recognised.untold else []
    said += ["--positive-class", "CLASS"] if len(document["classes"]) == 2 else []
    has = {name for name, there in (("both", len(document["modalities"]) == 2), ("masks", document["masks"])) if there}
    words = ["init", "--data", str(recognised.root), "--system", system_suiting(has).name, *said, "--out", "my.yaml"]
    return command_line([*entry(), *words])


def _show(document: dict[str, Any]) -> None:
    patients = document["patients"]
    if patients["told_by"]:
        known = f"{counted(patients['known'], 'patient')}, told by {patients['told_by']}"
        known += f"; {patients['scans_without']} scans without one" if patients["scans_without"] else ""
    else:
        known = "patients unknown: each scan counts as one, and one person may be on two sides of the split"
    own = document["own_split"]
    show(
        f"{document['folder']}: taken for {document['taken_for']}",
        f"{counted(document['scans'], 'scan')}, {document['dicom']} of them DICOM; lung masks: {document['masks']}",
        f"Classes: {', '.join(document['classes'])}",
        f"Patients: {known}",
        f"Sources: {', '.join(document['sources']) or 'not told'}",
        f"Split: {', '.join(own) + ', as the data name it' if own else 'made by the run'}",
        _counts(document["counts"]),
        *(f"{SAID[each['weight']]}: {each['message']} {each['remedy']}".rstrip() for each in document["problems"]),
        *([] if document["problems"] else ["Nothing stands in the way."]),
        f"Next: {document['next']}",
    )  # fmt: skip


def _counts(rows: list[dict[str, Any]]) -> TitledTable:
    words, numbers = ("modality", "label", "split", "source"), ("scans", "patients")
    cells = [[*(row[name] or "-" for name in words), *(str(row[name]) for name in numbers)] for row in rows]
    return TitledTable("Scans", words, numbers, cells)
