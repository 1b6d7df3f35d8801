"""`segment`: lungs outlined and the diagnosis named, on images, a folder, or samples of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.asking.bundle_options import (
    DeviceChoice,
    DeviceName,
    NoGate,
    RunFolder,
    SystemName,
    open_asked,
    tell_answers,
)
from pipeline.cli.asking.class_answers import answer_lines, answers_document, settle_rows
from pipeline.cli.asking.pictures import Targets, picture_targets, write_heat_maps
from pipeline.cli.asking.untouched_data import refuse_inside_data
from pipeline.cli.choices import choices
from pipeline.cli.telling.document import AsJson, Quiet
from pipeline.data.layouts.source_images import SourceImage, find_images
from pipeline.data.masks.lung_geometry import COLUMNS
from pipeline.data.reading.scan_reader import read_scan
from pipeline.engine.errors import UsageError
from pipeline.engine.extras import require
from pipeline.engine.progress import Reporter
from pipeline.inference.answered_rows import PREDICTIONS, AnsweredRow, answer_all, write_class_table
from pipeline.inference.answers import CAUTION, Answer
from pipeline.inference.pictures import write_png
from pipeline.inference.segmenter.overlays import draw_overlay, mask_picture
from pipeline.inference.segmenter.runtimes import DO_WITHOUT, open_runtime
from pipeline.systems import default_bundle

COMMAND = "segment"

# What computes the network; all give the same answers.
Runtime = choices("Runtime", ("onnx", "openvino", "keras"))
RuntimeChoice = Annotated[Runtime, typer.Option("--runtime", help="keras needs a bundle exported with --keras.")]


def segment(
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of them; a folder of {class}/images too.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for overlays and predictions.csv.")],
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", help=f"A bundle, or an .onnx with its .meta.json; {default_bundle(COMMAND)} by default."),
    ] = None,
    run: RunFolder = None,
    system: SystemName = None,
    runtime: RuntimeChoice = Runtime.ONNX,
    num_samples: Annotated[int | None, typer.Option("--num-samples", min=1, help="That many at random.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of --num-samples.")] = 0,
    masks: Annotated[bool, typer.Option("--masks", help="Write the lung masks too, as <image>_mask.png.")] = False,
    gradcam: Annotated[
        bool, typer.Option("--gradcam", help="Draw Grad-CAM of the class, as <image>_gradcam.png; tell its share in the lungs.")
    ] = False,
    no_gate: NoGate = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Let the nine simple checks and the distance from the bundle's own scans refuse too.")
    ] = False,
    device: DeviceChoice = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Outline the lungs and name the diagnosis; overlays, probabilities and measures of the masks.

    An image that cannot be read, or that is no chest X-ray, is named, skipped and counted; the rest go on.
    """
    if strict and no_gate:
        raise UsageError("--strict and --no-gate contradict each other.", "Give one of them.")
    if runtime is not Runtime.ONNX and device not in (None, DeviceName.AUTO):
        raise UsageError("--device is for --runtime onnx.", f"Leave it out with --runtime {runtime.value}.")
    if runtime is not Runtime.ONNX:
        require(runtime.value, DO_WITHOUT)
    refuse_inside_data([out], images, run)
    reporter = Reporter(quiet)
    sources = find_images(images, num_samples, seed, reporter.line)
    endings = {"overlay": "", **({"mask": "_mask"} if masks else {}), **({"gradcam": "_gradcam"} if gradcam else {})}
    targets = picture_targets(sources, out, endings, [out / PREDICTIONS])
    opened = open_asked(bundle, run, system, device, reporter, COMMAND, no_gate=no_gate, strict=strict)
    if runtime is not Runtime.ONNX:
        opened.use(_other_runtime(opened, runtime))
    methods, asked = ("gradcam",) if gradcam else (), reporter.track(sources, len(sources), "images")

    def keep(rows: Sequence[AnsweredRow]) -> None:
        write_class_table(out / PREDICTIONS, rows, opened.manifest.class_names, "true_class", COLUMNS)

    rows = answer_all(asked, lambda image: _answer(opened, image, strict, methods, targets), keep)
    settle_rows(rows, lambda: keep(rows))
    document = _document(rows, out)
    tell_answers(as_json, document, lambda: _words(document), device, opened.placement)


def _other_runtime(opened: Any, runtime: Runtime) -> Any:
    """TensorFlow is loaded for Keras only."""
    if runtime is Runtime.KERAS:
        from pipeline.training.segmenter.keras_runtime import KerasRuntime

        return KerasRuntime(opened.bundle)
    return open_runtime(opened.bundle, runtime.value)


def _answer(opened: Any, image: SourceImage, with_colour: bool, methods: Sequence[str], targets: Targets) -> Answer:
    """Ask the segmenter; draw, and let go of the pixels."""
    scan, files = read_scan(image.path, with_colour=with_colour), targets[image]
    answer = opened.answer(scan, methods=methods)
    write_png(files["overlay"], draw_overlay(scan.gray, answer.lung_mask, answer.findings[0].caption))
    if "mask" in files:
        write_png(files["mask"], mask_picture(answer.lung_mask))
    measured = write_heat_maps(files, scan.gray, answer.findings[0], answer.lung_mask)
    return answer.without_pictures({**answer.geometry, **measured})


def _document(rows: Sequence[AnsweredRow], out: Path) -> dict[str, Any]:
    known = [row for row in rows if row.answer.error is None and row.label]
    counts = {"refused": sum(row.answer.refused for row in rows), "true_class_known": len(known)}
    return answers_document(rows, out) | counts | {"correct": sum(row.answer.predicted == row.label for row in known)}


def _words(document: dict[str, Any]) -> str:
    known = document["true_class_known"]
    told = f", {document['correct']} of {known} as their folder says" if known else ""
    counted = f"{document['answered']} of {document['images']} images answered{told}"
    lines = answer_lines(document, _told, "outlined lungs")
    return "\n".join([*lines, f"{counted}; overlays and {PREDICTIONS} in {document['out']}", CAUTION])


def _told(answer: dict[str, Any]) -> list[str]:
    lungs = ", ".join(f"{side} lung {answer[f'lung_share_{side}']:.1%}" for side in ("right", "left"))
    return [f"{answer['image']}: {answer['caption']}, {lungs} of the picture"]
