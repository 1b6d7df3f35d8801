"""Options that say what a folder of scans is, where it does not say so itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.choices import choices
from pipeline.data.recognition.layout_choice import LAYOUTS
from pipeline.data.recognition.recognised import Recognised, recognise
from pipeline.data.scans import MODALITIES
from pipeline.engine.errors import UsageError

Layout = choices("Layout", LAYOUTS)
Modality = choices("Modality", MODALITIES)
LayoutChoice = Annotated[Layout | None, typer.Option("--layout", help="What the folder is, where it could be two.")]
ListName = Annotated[str | None, typer.Option("--list", help="The CSV of images and labels, relative to the folder.")]
ModalityChoice = Annotated[
    Modality | None, typer.Option("--modality", help="Of the scans, where nothing tells it; of both, the one that is read.")
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="OLD=NEW", help="Bring a label under a class; may be repeated. Others are left out."),
]


def recognise_given(
    folder: Path, layout: Layout | None, table: str | None, modality: Modality | None, labels: list[str] | None,
    attributes: tuple[str, ...] = (),
) -> Recognised:  # fmt: skip
    """What the folder is by what lies in it and by the options. Raises UsageError, DataError (see `recognise`)."""
    if table is not None and layout not in (None, Layout("list")):
        raise UsageError("--list and --layout contradict each other.", "Give one of them.")
    return recognise(
        folder, layout=layout.value if layout else None, table=table, modality=modality.value if modality else None,
        labels=_pairs(labels or []), attributes=attributes,
    )  # fmt: skip


def _pairs(labels: list[str]) -> dict[str, str]:
    pairs = {}
    for text in labels:
        old, equals, new = text.partition("=")
        if not (old and equals and new.strip()):
            raise UsageError(f"--label {text!r} is not of the form OLD=NEW.", 'Such as: --label "VIRAL=PNEUMONIA"')
        if pairs.setdefault(old, new.strip()) != new.strip():
            raise UsageError(f"--label names {old!r} twice.", "Each label belongs to one class.")
    return pairs
