"""`data phantom | inspect | prepare | reorganize | download`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.data.reorganize import register_reorganize
from pipeline.engine.errors import ConfigError, DataError, UsageError
from pipeline.engine.progress import Reporter

if TYPE_CHECKING:
    from pipeline.data.layouts.data_source import DataSource
    from pipeline.data.scans import Scan
    from pipeline.engine.contract import Stage

PUBLIC_SETS = {
    "radiography": "tawsifurrahman/covid19-radiography-database",
    "pneumonia": "paultimothymooney/chest-xray-pneumonia",
}


class SourceArtifact(StrEnum):
    """What the source artefact of phantoms follows."""

    NONE = "none"
    RANDOM = "random"
    LABEL = "label"


class Layout(StrEnum):
    """Folder layouts that phantoms are written in."""

    RESPIRATORY = "respiratory"
    RADIOGRAPHY = "radiography"
    PNEUMONIA = "pneumonia"


class PublicSet(StrEnum):
    """The public sets by their short names."""

    RADIOGRAPHY = "radiography"
    PNEUMONIA = "pneumonia"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def register(app: typer.Typer, stages: Sequence[Stage]) -> None:
    """Adds the `data` command group."""
    data = typer.Typer(no_args_is_help=True, help="Generate, inspect, lay out and download scans.")
    app.add_typer(data, name="data")
    data.command("phantom")(_phantom)
    data.command("download")(_download)
    _register_inspect(data, stages)
    _register_prepare(data, stages)
    register_reorganize(data)


def _phantom(
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")],
    patients: Annotated[
        int, typer.Option("--patients", min=1, help="Patients, each with an X-ray and a CT.")
    ] = 200,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    severity: Annotated[float, typer.Option("--severity", min=0.0, help="0: no lesions; 1: strong.")] = 1.0,
    noise: Annotated[float, typer.Option("--noise", min=0.0)] = 1.0,
    source_artifact: Annotated[
        SourceArtifact, typer.Option("--source-artifact", help="A marker and a gamma that follow …")
    ] = SourceArtifact.NONE,
    layout: Annotated[Layout, typer.Option("--layout")] = Layout.RESPIRATORY,
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
    from pipeline.data.phantom import write_dataset

    steps = Reporter().track(range(patients), patients, "patients")
    with closing(steps):
        write_dataset(
            out,
            patients,
            seed,
            severity=severity,
            noise=noise,
            source_artifact=source_artifact.value,
            layout=layout.value,
            size=size,
            workers=workers,
            progress=lambda done, total: next(steps, None),
        )
    if sheet is not None:
        from pipeline.data.phantom.contact_sheet import contact_sheet

        sheet.parent.mkdir(parents=True, exist_ok=True)
        contact_sheet(seed, severity, noise).savefig(sheet, format="png", metadata={"Software": None})
    _say(
        as_json,
        {"out": str(out), "patients": patients, "layout": layout.value},
        f"{patients} patients in {out} ({layout.value} layout).",
    )


def _register_inspect(data: typer.Typer, stages: Sequence[Stage]) -> None:
    @data.command("inspect")
    def inspect(
        folder: Annotated[
            Path, typer.Argument(help="The four folders, a folder with manifest.csv, or any images.")
        ],
        config: Annotated[
            Path | None, typer.Option("-c", "--config", help="Inspect the scans of this run.")
        ] = None,
        out: Annotated[
            Path | None, typer.Option("--out", help="Write inspection.json and figures here.")
        ] = None,
        workers: Annotated[int, typer.Option("--workers", min=1)] = 2,
        as_json: AsJson = False,
    ) -> None:
        """Counts, sizes, intensities, sources and leakage of a data set."""
        from pipeline.data.inspection.survey import inspect_scans

        if out is not None and out.resolve().is_relative_to(folder.resolve()):
            raise UsageError(
                f"{out}: lies inside the data, which is never written to.", "Give --out another place."
            )
        notices: list[str] = []
        scans = (
            _configured_scans(folder, config, stages, notices) if config else _found_scans(folder, notices)
        )
        inspection = inspect_scans(
            scans, notices, workers, lambda some: Reporter().track(some, len(scans), "scans")
        )
        document = inspection.document()
        if out is not None:
            from pipeline.data.inspection.figures import inspection_figures
            from pipeline.engine.files import write_json

            out.mkdir(parents=True, exist_ok=True)
            write_json(out / "inspection.json", document)
            for name, figure in inspection_figures(inspection).items():
                figure.savefig(out / f"{name}.png", metadata={"Software": None})
        if as_json:
            typer.echo(json.dumps(document, indent=2))
        else:
            from pipeline.cli.data.inspection_tables import show_inspection

            show_inspection(document, out)


def _register_prepare(data: typer.Typer, stages: Sequence[Stage]) -> None:
    @data.command("prepare")
    def prepare(
        folder: Annotated[
            Path, typer.Option("--data", help="The folder that the manifest's paths are relative to.")
        ],
        config: Annotated[Path, typer.Option("-c", "--config", help="The run whose selection is laid out.")],
        out: Annotated[Path, typer.Option("--out", help="New folder for the four folders.")],
        copy: Annotated[bool, typer.Option("--copy/--link", help="Copy the files, or link to them.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Lay a manifest's selection out as X_Ray_Train, X_Ray_Test, CT_Scan_Train, CT_Scan_Test."""
        from pipeline.data.rearranging.preparation import prepare_folders

        notices: list[str] = []
        scans = _configured_scans(folder, config, stages, notices)
        written = prepare_folders(scans, out, folder, "copy" if copy else "link")
        for notice in notices:
            typer.echo(f"warning: {notice}", err=True)
        _say(as_json, {"out": str(out), "scans": written, "warnings": notices}, f"{written} scans in {out}.")


def _download(
    name: Annotated[PublicSet, typer.Argument(help="Which public set.")],
    as_json: AsJson = False,
) -> None:
    """Fetch a public set through kagglehub (needs internet) and print where it lies."""
    try:
        import kagglehub
    except ImportError as cause:
        raise UsageError(
            "data download needs the optional package kagglehub.", "pip install kagglehub"
        ) from cause
    from pipeline.data.layouts.public_sets import fetch_failures

    handle = PUBLIC_SETS[name.value]
    try:
        place = kagglehub.dataset_download(handle)
    except fetch_failures() as cause:
        reason = (str(cause).splitlines() or [type(cause).__name__])[0][:160]
        raise DataError(
            f"{handle}: download failed ({reason}).",
            "Check the connection and the Kaggle credentials, or fetch it by hand and give --data.",
        ) from cause
    _say(as_json, {"set": name.value, "path": str(place)}, f"{name.value}: {place}")


def _configured_scans(folder: Path, config: Path, stages: Sequence[Stage], notices: list[str]) -> list[Scan]:
    """The scans of a run, with the very split that its first stage makes."""
    from pipeline.data.layouts.data_source import read_scans
    from pipeline.engine.config import load_run_config
    from pipeline.engine.seeds import derive_seed

    run = load_run_config(config, stages)
    for stage in stages:
        source = _data_source(run.stages.get(stage.id))
        if source is not None:
            return read_scans(folder, source, derive_seed(run.seed, stage.name), notices.append)
    raise ConfigError(f"{config}: no stage of it reads scans.", "Use a configuration with s01.")


def _data_source(section: object) -> DataSource | None:
    from pipeline.data.layouts.data_source import DataSource

    fields = getattr(type(section), "model_fields", {})
    return next((value for name in fields if isinstance(value := getattr(section, name), DataSource)), None)


def _found_scans(folder: Path, notices: list[str]) -> list[Scan]:
    from pipeline.data.layouts.respiratory_folders import has_respiratory_folders, read_respiratory_folders
    from pipeline.data.layouts.unsorted_scans import read_any_folder, read_whole_manifest

    if has_respiratory_folders(folder):
        return read_respiratory_folders(folder, notices.append)
    if (folder / "manifest.csv").is_file():
        notices.append("No configuration given: every row of manifest.csv, with its own label and no split.")
        return read_whole_manifest(folder / "manifest.csv", folder)
    return read_any_folder(folder)


def _say(as_json: bool, document: dict, sentence: str) -> None:
    typer.echo(json.dumps(document) if as_json else sentence)
