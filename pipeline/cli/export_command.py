"""`export`: a finished run, or foreign models, as a bundle."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from pipeline.cli.asking.untouched_data import refuse_inside_data
from pipeline.cli.choices import choices
from pipeline.cli.telling.document import AsJson, tell
from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.invocation import typed
from pipeline.engine.rundir import RunDirectory
from pipeline.export.bundle_folder import refuse_foreign_folder
from pipeline.export.template import CARD, ExportOptions
from pipeline.inference.bundle import read_description, system_of
from pipeline.inference.segmenter import bundle as segmenter_bundle
from pipeline.systems import system_named, system_of_run

# What a bundle can be made of, and the options that go with it; the system itself refuses those that it does not take.
SOURCES = {
    "run": ("system", "keras", "card", "opset", "layout"),
    "original": ("positive_index",),
    "checkpoint": ("classes", "prefix", "keras", "card", "opset", "layout"),
}

# The order of the axes at a segmenter's doors.
Layout = choices("Layout", get_args(segmenter_bundle.Layout))


def export(
    out: Annotated[Path, typer.Option("--out", help="The bundle's folder; a bundle there is replaced.")],
    run: Annotated[Path | None, typer.Option("--run", help="A finished run's folder.")] = None,
    system: Annotated[str | None, typer.Option("--system", help="With --run: which system, where the run holds two.")] = None,
    original: Annotated[
        Path | None, typer.Option("--original", help="Instead of a run: the original's folder of .h5 models.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Instead of a run: a MONAI/PyTorch .pth of the segmenter.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option("--classes", help="With --checkpoint: class names in training's order, A,B,C,D.")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="With --checkpoint: what stands before its names; found by default.")
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
    as_json: AsJson = False,
) -> None:
    """Write a bundle: ONNX graphs, preprocessing, class names, model card, hashes."""
    given = {
        name: value
        for name, value in (
            ("system", system), ("classes", classes), ("prefix", prefix), ("keras", keras or None), ("card", card),
            ("positive_index", positive_index), ("opset", opset), ("layout", layout.value if layout else None),
        )
        if value is not None
    }  # fmt: skip
    sources = {name: value for name, value in (("run", run), ("original", original), ("checkpoint", checkpoint)) if value}
    _refuse_nonsense(sources, given)
    _report(_write(sources, given, out), as_json)


def _refuse_nonsense(sources: dict[str, Path], given: dict[str, Any]) -> None:
    if len(sources) != 1:
        raise UsageError(
            "Export what?", "Give --run DIR of a finished run, or --original DIR or --checkpoint FILE of foreign models; one."
        )
    (source,) = sources
    if ("classes" in given) != (source == "checkpoint"):
        raise UsageError("--checkpoint and --classes belong together.", "A checkpoint does not name its classes.")
    foreign = [name for name in given if name not in SOURCES[source]]
    if foreign:
        fitting = [f"--{name}" for name, taken in SOURCES.items() if foreign[0] in taken]
        option = f"--{foreign[0].replace('_', '-')}"
        raise UsageError(f"{option} goes with {' or '.join(fitting)}.", f"Leave it out with --{source}.")


def _write(sources: dict[str, Path], given: dict[str, Any], out: Path) -> Path:
    if "card" in given:
        given["card"] = _read(given["card"])
    system, classes, prefix = given.pop("system", None), given.pop("classes", ""), given.pop("prefix", None)
    options = ExportOptions(**given)
    refuse_foreign_folder(out)
    refuse_inside_data([out], [], sources.get("run"))
    if "run" in sources:
        run = sources["run"]
        return system_of_run(RunDirectory(run), system).load("exporter").of_run(run, options).write(out)
    if "original" in sources:
        from pipeline.export.original.bundle import OriginalExporter

        return OriginalExporter(sources["original"], options).write(out)
    from pipeline.export.segmenter.bundle import SegmenterExporter
    from pipeline.export.segmenter.source import read_checkpoint

    names = [name.strip() for name in classes.split(",")]
    source = read_checkpoint(
        sources["checkpoint"], names, prefix=prefix, warn=lambda text: typer.echo(f"note: {text}", err=True)
    )
    return SegmenterExporter(source, options).write(out)


def _read(card: Path) -> str:
    try:
        return card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise DataError(f"{card}: cannot be read as text ({cause}).", "Give --card a Markdown file in UTF-8.") from cause


def _report(bundle: Path, as_json: bool) -> None:
    description = read_description(bundle)
    system, files = system_named(system_of(description)), description["files"]
    answer = {
        "bundle": bundle.as_posix(),
        "variant": description.get("variant", system.name),
        "bytes": sum(entry["bytes"] for entry in files.values()) + (bundle / "bundle.json").stat().st_size,
        "files": files,
        "parity": description["parity"],
    }
    what = f"{description['variant']} variant" if "variant" in description else system.name
    example = system.asking("--bundle", bundle, lambda name: name in description.get("modalities", ()))
    tell(as_json, answer, lambda: _words(answer, f"{bundle}: {what}", example))


def _words(answer: dict[str, Any], what: str, example: str) -> str:
    parity, sizes = answer["parity"], {name: entry["bytes"] for name, entry in answer["files"].items()}
    lines = [f"{size / 1e6:8.2f} MB  {name}" for name, size in (*sizes.items(), (what, answer["bytes"]))]
    if "keras_max_difference" in parity:
        lines.append(
            f"ONNX against Keras: largest difference {parity['keras_max_difference']:.1e} (limit {parity['limit']:.0e})"
        )
    judged = f"evaluate --bundle {shlex.quote(answer['bundle'])} --data DIR --out DIR"
    return "\n".join([
        *lines, f"Model card: {answer['bundle']}/{CARD}", "Next:",
        *(f"  {typed(words)}" for words in (example, judged)),
    ])  # fmt: skip
