"""`init`: write a commented configuration that fits a folder of scans; what would change a number is asked for, not guessed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.asking.data_options import Labels, LayoutChoice, ListName, ModalityChoice, recognise_given
from pipeline.cli.init.configuration_text import configuration_text
from pipeline.cli.init.draft import DataFacts, fitting_side
from pipeline.cli.telling.document import AsJson, tell
from pipeline.data.recognition.recognised import Recognised
from pipeline.data.scans import Scan
from pipeline.engine.config import load_run_config
from pipeline.engine.errors import UsageError, did_you_mean
from pipeline.engine.invocation import command_line, entry
from pipeline.engine.outputs import prepare_output, refuse_inside
from pipeline.systems import SYSTEMS, System, system_named

NAMES = ", ".join(system.name for system in SYSTEMS)


def init(
    context: typer.Context,
    data: Annotated[Path, typer.Option("--data", help="Folder of the scans; never written to.")],
    system: Annotated[str, typer.Option("--system", help=f"What shall be trained: {NAMES}.")],
    out: Annotated[Path, typer.Option("--out", help="The YAML file to write; one that is there is kept.")],
    positive_class: Annotated[
        str | None, typer.Option("--positive-class", help="The class that is looked for; of two classes, one has to be named.")
    ] = None,
    layout: LayoutChoice = None,
    table: ListName = None,
    modality: ModalityChoice = None,
    labels: Labels = None,
    notes: Annotated[str | None, typer.Option("--notes", help="The list's column of notes, for vision and text.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a commented configuration that fits a folder of scans.

    What lies in the folder decides classes, sizes, patients and epochs. What it leaves open and would change a number is asked
    for: nothing is guessed. An existing file is never written over.
    """
    chosen = system_named(system)
    if chosen.starter is None:
        raise UsageError(f"No configuration is written for {system}.", f"Those with one: {NAMES}.")
    _refuse_place(out, data)
    found = recognise_given(data, layout, table, modality, labels, (notes,) if notes is not None else ())
    notices: list[str] = list(found.notices)
    if found.untold:
        raise UsageError(f"{data}: nothing tells whether {found.untold} of {len(found.raw)} scans are X-rays or CT slices.",
                         "Say --modality xray or --modality ct.")  # fmt: skip
    scans = found.placed(found.labelled(), notices.append)
    classes = tuple(sorted({scan.label for scan in scans}))
    positive = _positive(positive_class, classes)
    facts = DataFacts(scans, classes, positive, fitting_side(scans), notes or "")
    text = configuration_text(found, facts, chosen, chosen.load("starter")(facts), data)
    _write(out, text, context.obj)
    document = _document(found, facts, chosen, out, notices)
    tell(as_json, document, lambda: _words(document))


def _refuse_place(out: Path, data: Path) -> None:
    refuse_inside([out], [data])
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out}: is there already, and is never written over.", "Give --out another name, or remove it.")
    if out.suffix.lower() not in (".yaml", ".yml"):
        raise UsageError(f"{out}: a configuration is a YAML file.", f"Such as: --out {out.with_suffix('.yaml')}")


def _positive(named: str | None, classes: tuple[str, ...]) -> str | None:
    """The class that is looked for. Raises UsageError where it has to be named, or is none of the classes."""
    if named is not None and named not in classes:
        raise UsageError(f"--positive-class {named!r} is none of the classes {', '.join(classes)}.{did_you_mean(named, classes)}",
                         f"Such as: {command_line(['--positive-class', classes[-1]])}")  # fmt: skip
    if named is None and len(classes) == 2:
        ways = " or ".join(command_line(["--positive-class", name]) for name in classes)
        raise UsageError("Which of the two classes is looked for? Sensitivity, AUC and threshold are of it.", f"Say {ways}.")
    return named


def _write(out: Path, text: str, stages: Any) -> None:
    """The file whole, once it has been read as a run reads it. Raises ConfigError, StorageError."""
    prepare_output(out)
    handle, name = tempfile.mkstemp(prefix=f".{out.stem}.", suffix=".yaml", dir=out.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        load_run_config(draft, stages)
        draft.chmod(0o644)
        draft.rename(out)
    finally:
        draft.unlink(missing_ok=True)


def _document(found: Recognised, facts: DataFacts, system: System, out: Path, notices: list[str]) -> dict[str, Any]:
    splits: dict[str, int] = {}
    for scan in facts.scans:
        splits[scan.split] = splits.get(scan.split, 0) + 1
    return {
        "config": str(out), "system": system.name, "taken_for": found.choice.words, "classes": list(facts.classes),
        "positive_class": facts.positive, "modalities": facts.modalities, "scans": len(facts.scans), "splits": splits,
        "patients_told_by": found.told_by, "patients": _patients(facts.scans), "warnings": notices,
        "next": command_line([*entry(), "run", "-c", str(out), "--data", str(found.root), "--out", f"runs/{out.stem}"]),
    }  # fmt: skip


def _patients(scans: Any) -> int:
    found: list[Scan] = list(scans)
    return len({scan.patient_id for scan in found} - {""})


def _words(document: dict[str, Any]) -> str:
    known = f"{document['patients']}, told by {document['patients_told_by']}" if document["patients_told_by"] else "unknown"
    looked = f", {document['positive_class']} is looked for" if document["positive_class"] is not None else ""
    return "\n".join([
        f"{document['config']}: {document['system']} on {document['scans']} scans, taken for {document['taken_for']}",
        f"Classes: {', '.join(document['classes'])}{looked}",
        f"Split: {', '.join(f'{count} {split}' for split, count in document['splits'].items())}; patients: {known}",
        *(f"note: {notice}" for notice in document["warnings"]),
        "Next:", f"  {document['next']}",
    ])  # fmt: skip
