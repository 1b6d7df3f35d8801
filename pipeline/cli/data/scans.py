"""`data inspect | prepare`: what a data set holds, and its selection laid out in folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.asking.data_options import LayoutChoice, ListName
from pipeline.cli.data.inspection_tables import show_inspection
from pipeline.cli.telling.document import AsJson, tell
from pipeline.data.inspection.figures import inspection_figures
from pipeline.data.inspection.survey import inspect_scans
from pipeline.data.layouts.data_source import DataSource, read_scans
from pipeline.data.rearranging.preparation import prepare_folders
from pipeline.data.recognition.recognised import undescribed_scans
from pipeline.data.scans import Scan
from pipeline.engine.config import load_run_config
from pipeline.engine.contract import Stage
from pipeline.engine.errors import ConfigError
from pipeline.engine.outputs import refuse_inside
from pipeline.engine.progress import Reporter
from pipeline.engine.seeds import derive_seed
from pipeline.evaluation.output_folder import write_findings


def inspect(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="The scans, as data check takes them, or any images; they are only read.")
    ],
    config: Annotated[
        Path | None, typer.Option("-c", "--config", help="Inspect the scans of this run.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write inspection.json and figures here.")
    ] = None,
    layout: LayoutChoice = None,
    table: ListName = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Counts, sizes, intensities, sources and leakage of a data set."""
    refuse_inside([out], [folder])
    notices: list[str] = []
    scans = (
        _configured_scans(folder, config, context.obj, notices)
        if config
        else undescribed_scans(folder, notices.append, layout.value if layout else None, table)
    )
    inspection = inspect_scans(
        scans, notices, workers, lambda some: Reporter().track(some, len(scans), "scans")
    )
    document = inspection.document()
    if out is not None:
        write_findings(out, "inspection.json", document, inspection_figures(inspection))
    tell(as_json, document, lambda: show_inspection(document, out))


def prepare(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Option("--data", help="The folder that the manifest's paths are relative to.")
    ],
    config: Annotated[Path, typer.Option("-c", "--config", help="The run whose selection is laid out.")],
    out: Annotated[Path, typer.Option("--out", help="New folder for the four folders.")],
    copy: Annotated[bool, typer.Option("--copy/--link", help="Copy the files, or link to them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lay a manifest's selection out as X_Ray_Train, X_Ray_Test, CT_Scan_Train, CT_Scan_Test."""
    refuse_inside([out], [folder])
    notices: list[str] = []
    scans = _configured_scans(folder, config, context.obj, notices)
    written = prepare_folders(scans, out, folder, "copy" if copy else "link")
    for notice in notices:
        typer.echo(f"warning: {notice}", err=True)
    tell(as_json, {"out": str(out), "scans": written, "warnings": notices}, f"{written} scans in {out}.", indent=None)


def _configured_scans(folder: Path, config: Path, stages: Sequence[Stage], notices: list[str]) -> list[Scan]:
    """The scans of a run, with the very split that its first stage makes."""
    run = load_run_config(config, stages)
    for stage in stages:
        source = _data_source(run.stages.get(stage.id))
        if source is not None:
            return read_scans(folder, source, derive_seed(run.seed, stage.name), notices.append)
    raise ConfigError(f"{config}: no stage of it reads scans.", "Use a configuration with s01.")


def _data_source(section: object) -> DataSource | None:
    fields = getattr(type(section), "model_fields", {})
    return next((value for name in fields if isinstance(value := getattr(section, name), DataSource)), None)
