"""`data phantom`: a data set of generated patients."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.choices import choices
from pipeline.cli.telling.document import AsJson, tell
from pipeline.data.phantom import write_dataset
from pipeline.data.phantom.contact_sheet import contact_sheet
from pipeline.data.phantom.folders import LAYOUT_CLASSES, SOURCE_ARTIFACTS
from pipeline.engine.extras import require
from pipeline.engine.progress import Reporter
from pipeline.evaluation.output_folder import png_of

SourceArtifact = choices("SourceArtifact", SOURCE_ARTIFACTS)
Layout = choices("Layout", LAYOUT_CLASSES)


def phantom(
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")],
    patients: Annotated[
        int, typer.Option("--patients", min=1, help="Patients, each with an X-ray and a CT.")
    ] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same patients.")] = 0,
    severity: Annotated[float, typer.Option("--severity", min=0.0, help="0: no lesions; 1: strong.")] = 1.0,
    noise: Annotated[float, typer.Option("--noise", min=0.0, help="Of the images; 0: none.")] = 1.0,
    source_artifact: Annotated[
        SourceArtifact, typer.Option("--source-artifact", help="A marker and a gamma that follow …")
    ] = SourceArtifact.NONE,
    layout: Annotated[Layout, typer.Option("--layout", help="Whose folders and classes.")] = Layout.RESPIRATORY,
    size: Annotated[int, typer.Option("--size", min=64, max=1024, help="Side of the images, px.")] = 256,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; all cores by default.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="Also draw one patient under every condition (PNG).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a data set of generated patients, with the exact lung masks."""
    if sheet is not None:
        require("matplotlib")
    write_phantoms(
        out, patients, seed, Reporter(), severity=severity, noise=noise, source_artifact=source_artifact.value,
        layout=layout.value, size=size, workers=workers,
    )  # fmt: skip
    if sheet is not None:
        sheet.parent.mkdir(parents=True, exist_ok=True)
        sheet.write_bytes(png_of(contact_sheet(seed, severity, noise)))
    document = {"out": str(out), "patients": patients, "layout": layout.value}
    tell(as_json, document, f"{patients} patients in {out} ({layout.value} layout).", indent=None)


def write_phantoms(out: Path, patients: int, seed: int, reporter: Reporter, **settings: Any) -> None:
    """`write_dataset` with `settings`, its patients counted by the reporter."""
    steps = reporter.track(range(patients), patients, "patients")
    with closing(steps):
        write_dataset(out, patients, seed, progress=lambda done, total: next(steps, None), **settings)
