"""`export`: a finished run, or foreign models, as a bundle."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from pipeline.engine.errors import DataError, UsageError

if TYPE_CHECKING:
    from pipeline.engine.contract import Stage


class Layout(StrEnum):
    """The order of the axes at a segmenter's doors."""

    NHWC = "NHWC"
    NCHW = "NCHW"


class Options(NamedTuple):
    """What the command was given."""

    out: Path
    run: Path | None
    original: Path | None
    checkpoint: Path | None
    classes: str | None
    keras: bool
    positive_index: int | None
    card: Path | None
    opset: int | None
    layout: Layout | None


def register(app: typer.Typer, stages: Sequence[Stage]) -> None:
    """Add `export`."""

    @app.command("export")
    def export(
        out: Annotated[Path, typer.Option("--out", help="The bundle's folder; a bundle there is replaced.")],
        run: Annotated[Path | None, typer.Option("--run", help="A finished run's folder.")] = None,
        original: Annotated[
            Path | None, typer.Option("--original", help="Instead of a run: the original's folder of .h5 models.")
        ] = None,
        checkpoint: Annotated[
            Path | None, typer.Option("--checkpoint", help="Instead of a run: a MONAI/PyTorch .pth of the segmenter.")
        ] = None,
        classes: Annotated[
            str | None, typer.Option("--classes", help="With --checkpoint: class names in training's order, A,B,C,D.")
        ] = None,
        keras: Annotated[bool, typer.Option("--keras", help="Add the Keras networks (.weights.h5 and .json).")] = False,
        positive_index: Annotated[
            int | None,
            typer.Option("--positive-index", help="With --original: class number of COVID in its training [0]."),
        ] = None,
        card: Annotated[
            Path | None, typer.Option("--card", help="With --run: Markdown for the model card's section on data.")
        ] = None,
        opset: Annotated[int | None, typer.Option("--opset", help="Of a segmenter's ONNX graph [17].")] = None,
        layout: Annotated[Layout | None, typer.Option("--layout", help="Of a segmenter's doors [NHWC].")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    ) -> None:
        """Write a bundle: ONNX graphs, preprocessing, class names, model card, hashes."""
        options = Options(out, run, original, checkpoint, classes, keras, positive_index, card, opset, layout)
        _refuse_nonsense(options)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        _report(_write(options), as_json)


def _refuse_nonsense(options: Options) -> None:
    given = [option for option in (options.run, options.original, options.checkpoint) if option is not None]
    if len(given) != 1:
        raise UsageError(
            "Export what?", "Give --run DIR of a finished run, or --original DIR or --checkpoint FILE of foreign models; one."
        )
    if options.original is not None and (options.keras or options.card is not None):
        raise UsageError("--keras and --card go with --run.", "An imported bundle has neither.")
    if options.original is None and options.positive_index is not None:
        raise UsageError("--positive-index goes with --original.", "A run knows its positive class.")
    if (options.checkpoint is None) != (options.classes is None):
        raise UsageError("--checkpoint and --classes belong together.", "A checkpoint does not name its classes.")
    if options.original is not None and (options.opset is not None or options.layout is not None):
        raise UsageError("--opset and --layout are for a segmenter.", "Leave them out.")


def _write(options: Options) -> Path:
    text = _read(options.card) if options.card is not None else ""
    if options.original is not None:
        from pipeline.export.original.bundle import import_original

        return import_original(options.original, options.out, options.positive_index or 0)
    layout = options.layout.value if options.layout is not None else None
    if options.run is not None:
        from pipeline.cli.run_exporters import export_run

        return export_run(options.run, options.out, options.keras, text, options.opset, layout)
    from pipeline.export.bundle_folder import refuse_foreign_folder
    from pipeline.export.segmenter.bundle import write_segmenter_bundle
    from pipeline.export.segmenter.source import read_checkpoint

    refuse_foreign_folder(options.out)
    source = read_checkpoint(options.checkpoint, [name.strip() for name in options.classes.split(",")])
    return write_segmenter_bundle(source, options.out, options.keras, options.opset or 17, layout or "NHWC", text)


def _read(card: Path) -> str:
    try:
        return card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise DataError(f"{card}: cannot be read as text ({cause}).", "Give --card a Markdown file in UTF-8.") from cause


def _report(bundle: Path, as_json: bool) -> None:
    from pipeline.inference.bundle import system_of
    from pipeline.systems import system_named

    description = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    files, parity = description["files"], description["parity"]
    total = sum(entry["bytes"] for entry in files.values()) + (bundle / "bundle.json").stat().st_size
    system = system_of(description)
    if as_json:
        answer = {"bundle": bundle.as_posix(), "variant": description.get("variant", system), "bytes": total, "files": files}
        answer["parity"] = parity
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    for name, entry in files.items():
        typer.echo(f"{entry['bytes'] / 1e6:8.2f} MB  {name}")
    what = f"{description['variant']} variant" if "variant" in description else system
    typer.echo(f"{total / 1e6:8.2f} MB  {bundle}: {what}")
    if "keras_max_difference" in parity:
        typer.echo(f"ONNX against Keras: largest difference {parity['keras_max_difference']:.1e} (limit {parity['limit']:.0e})")
    typer.echo(f"To use it: python run_pipeline.py {system_named(system).example.format(bundle)}")
