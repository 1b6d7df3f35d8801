"""`segment`: lungs outlined and the diagnosis named, on images, a folder, or samples of a dataset."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.engine.errors import UsageError
from pipeline.engine.progress import Reporter

if TYPE_CHECKING:
    from pipeline.data.layouts.source_images import SourceImage
    from pipeline.engine.contract import Stage
    from pipeline.inference.segmenter.activation import SegmenterActivation
    from pipeline.inference.segmenter.answers import Gate, ImageAnswer
    from pipeline.inference.segmenter.bundle import SegmenterBundle
    from pipeline.inference.segmenter.runtimes import SegmentationRuntime

PREDICTIONS = "predictions.csv"


class Runtime(StrEnum):
    """What computes the network; all give the same answers."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    KERAS = "keras"


RuntimeChoice = Annotated[Runtime, typer.Option("--runtime", help="keras needs a bundle exported with --keras.")]


def register(app: typer.Typer, stages: Sequence[Stage]) -> None:
    """Adds `segment`."""
    app.command("segment")(_segment)


def _segment(
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of them; a folder of {class}/images too.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for overlays and predictions.csv.")],
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", help="A bundle, or an .onnx with its .meta.json; pretrained/radiography_unet by default."),
    ] = None,
    run: Annotated[Path | None, typer.Option("--run", help="A finished run instead of a bundle.")] = None,
    runtime: RuntimeChoice = Runtime.ONNX,
    num_samples: Annotated[int | None, typer.Option("--num-samples", min=1, help="That many at random.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of --num-samples.")] = 0,
    masks: Annotated[bool, typer.Option("--masks", help="Write the lung masks too, as <image>_mask.png.")] = False,
    gradcam: Annotated[
        bool, typer.Option("--gradcam", help="Draw Grad-CAM of the class, as <image>_gradcam.png; tell its share in the lungs.")
    ] = False,
    no_gate: Annotated[bool, typer.Option("--no-gate", help="Segment whatever is given.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Let the nine simple checks refuse images.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Outline the lungs and name the diagnosis; overlays, probabilities and measures of the masks.

    An image that cannot be read, or that is no chest X-ray, is named, skipped and counted; the rest go on.
    """
    from pipeline.data.layouts.source_images import find_images
    from pipeline.inference.segmenter.answers import answer_images, failure_summary, refuse_all_failed, write_image_answers
    from pipeline.inference.segmenter.segmenter import Segmenter

    if strict and no_gate:
        raise UsageError("--strict and --no-gate contradict each other.", "Give one of them.")
    sources = find_images(images, num_samples, seed)
    targets = _targets(sources, out, masks, gradcam)
    reporter = Reporter(quiet)
    opened = open_segmenter_bundle(bundle, run, reporter)
    gate = None if no_gate else open_gate(opened, strict)
    segmenter = Segmenter(opened, open_named_runtime(opened, runtime))
    keep = _writer(targets, _activation(opened) if gradcam else None)
    answers = list(answer_images(segmenter, reporter.track(sources, len(sources), "images"), keep, gate, strict))
    write_image_answers(out / PREDICTIONS, answers, opened.manifest.class_names)
    for line in failure_summary(answers):
        typer.echo(line, err=True)
    refuse_all_failed(answers)
    _report(answers, out, as_json)


def open_segmenter_bundle(bundle: Path | None, run: Path | None, reporter: Reporter) -> SegmenterBundle:
    """The bundle that was named, the run's, or the one in the repository."""
    from pipeline.cli.bundle_source import DEFAULT_SEGMENTER, find_bundle
    from pipeline.inference.segmenter.bundle import load_segmenter_bundle

    return load_segmenter_bundle(find_bundle(bundle, run, reporter, DEFAULT_SEGMENTER))


def open_named_runtime(bundle: SegmenterBundle, runtime: Runtime) -> SegmentationRuntime:
    """The bundle on a runtime; TensorFlow is loaded for Keras only."""
    if runtime is Runtime.KERAS:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from pipeline.training.segmenter.keras_runtime import KerasRuntime

        return KerasRuntime(bundle)
    from pipeline.inference.segmenter.runtimes import open_runtime

    return open_runtime(bundle, runtime.value)


def open_gate(bundle: SegmenterBundle, strict: bool) -> Gate | None:
    """The bundle's gate, None where it has none. Raises UsageError where `strict` asks for one that is not there."""
    if bundle.manifest.gate is None:
        if strict:
            raise UsageError(f"{bundle.path} has no X-ray gate to be strict.", "Leave --strict out, or use `validate --strict`.")
        return None
    from pipeline.inference.gate.xray_gate import XrayGate

    return XrayGate.load(bundle.path, bundle.manifest.gate)


def _activation(bundle: SegmenterBundle) -> SegmenterActivation:
    from pipeline.inference.segmenter.activation import SegmenterActivation

    return SegmenterActivation(bundle)


def _targets(sources: Sequence[SourceImage], out: Path, masks: bool, gradcam: bool) -> dict[SourceImage, dict[str, Path]]:
    """The files of each image by kind: overlay, mask, gradcam. Raises UsageError where one would fall on a source."""
    from pipeline.data.layouts.source_images import output_names
    from pipeline.engine.outputs import prepare_output, refuse_overwriting

    endings = {"overlay": "", **({"mask": "_mask"} if masks else {}), **({"gradcam": "_gradcam"} if gradcam else {})}
    targets = {
        image: {kind: out / name.with_name(f"{name.name}{end}.png") for kind, end in endings.items()}
        for image, name in zip(sources, output_names(sources), strict=True)
    }
    written = [path for files in targets.values() for path in files.values()]
    if len(set(written)) < len(written):
        raise UsageError("Two outputs have one name: an image is called as another's mask or heat map.",
                         "Leave --masks or --gradcam out, or rename it.")  # fmt: skip
    refuse_overwriting([*written, out / PREDICTIONS], [image.path for image in sources])
    prepare_output(out / PREDICTIONS)
    return targets


def _writer(targets: dict[SourceImage, dict[str, Path]], activation: SegmenterActivation | None):
    def keep(image, gray, answer) -> dict[str, float | None]:
        from pipeline.evaluation.studies.lung_energy import lung_energy
        from pipeline.inference.activation.overlays import draw_activation
        from pipeline.inference.segmenter.overlays import draw_overlay, mask_picture, write_png

        files = targets[image]
        write_png(files["overlay"], draw_overlay(gray, answer))
        if "mask" in files:
            write_png(files["mask"], mask_picture(answer))
        if activation is None:
            return {}
        heat = activation.activation(gray, answer.predicted)
        write_png(files["gradcam"], draw_activation(gray, heat, f"Grad-CAM: {answer.predicted} {100 * answer.confidence:.1f} %"))
        energy, area = lung_energy(heat, answer.lung_mask)
        return {"gradcam_lung_energy": energy, "lung_area": area}

    return keep


def _report(answers: Sequence[ImageAnswer], out: Path, as_json: bool) -> None:
    from pipeline.inference.multitask.rendering import CAUTION

    answered = [answer for answer in answers if answer.error is None]
    known = [answer for answer in answered if answer.image.label]
    right = sum(answer.predicted == answer.image.label for answer in known)
    if as_json:
        refused = sum(answer.refused for answer in answers)
        summary = {"out": str(out), "images": len(answers), "answered": len(answered), "failed": len(answers) - len(answered),
                   "refused": refused, "true_class_known": len(known), "correct": right,
                   "answers": [_row(answer) for answer in answers]}  # fmt: skip
        typer.echo(json.dumps(summary, indent=2, ensure_ascii=False))
        return
    for answer in answered[:10]:
        right_lung, left_lung = (answer.geometry[f"lung_share_{side}"] for side in ("right", "left"))
        lungs = f"right lung {right_lung:.1%}, left lung {left_lung:.1%} of the picture"
        typer.echo(f"{answer.image.relative}: {answer.predicted} {answer.confidence:.1%}, {lungs}")
    if len(answered) > 10:
        typer.echo(f"… and {len(answered) - 10} more")
    energies = [share for answer in answered if (share := answer.extra.get("gradcam_lung_energy")) is not None]
    if energies:
        typer.echo(f"Grad-CAM: {sum(energies) / len(energies):.1%} of it lies in the outlined lungs, on average.")
    told = f", {right} of {len(known)} as their folder says" if known else ""
    typer.echo(f"{len(answered)} of {len(answers)} images answered{told}; overlays and {PREDICTIONS} in {out}")
    typer.echo(CAUTION)


def _row(answer: ImageAnswer) -> dict:
    return {
        "image": answer.image.relative.as_posix(),
        "predicted": answer.predicted,
        "confidence": answer.confidence,
        "probabilities": answer.probs,
        "true_class": answer.image.label or None,
        "error": answer.error,
        **answer.geometry,
        **answer.extra,
    }
