"""`classify`: the class of each image, with heat maps on it and their share inside the lungs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.engine.errors import UsageError
from pipeline.engine.progress import Reporter

if TYPE_CHECKING:
    import numpy as np

    from pipeline.data.layouts.source_images import SourceImage
    from pipeline.engine.contract import Stage
    from pipeline.inference.classifier.answers import ImageAnswer
    from pipeline.inference.classifier.bundle import ClassifierManifest
    from pipeline.inference.classifier.classifier import Classification
    from pipeline.inference.segmenter.segmenter import Segmenter

PREDICTIONS = "predictions.csv"
DEFAULT_CLASSIFIER = Path("pretrained") / "pneumonia_binary"
TITLES = {"gradcam": "Grad-CAM", "gradcam_plus_plus": "Grad-CAM++"}


def register(app: typer.Typer, stages: Sequence[Stage]) -> None:
    """Adds `classify`."""
    app.command("classify")(_classify)


def _classify(
    images: Annotated[list[Path] | None, typer.Argument(help="Images, or folders of them.")] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="A classifier's bundle; pretrained/pneumonia_binary by default.")
    ] = None,
    run: Annotated[Path | None, typer.Option("--run", help="A finished run instead of a bundle.")] = None,
    note: Annotated[
        str | None, typer.Option("--note", help="A case's note, for a bundle of vision and text; with one image or none.")
    ] = None,
    gradcam: Annotated[bool, typer.Option("--gradcam", help="Draw Grad-CAM over each image; needs --out.")] = False,
    plus_plus: Annotated[bool, typer.Option("--gradcam-plus-plus", help="Draw Grad-CAM++ too; needs --out.")] = False,
    lungs: Annotated[
        Path | None, typer.Option("--lungs", help="A segmenter's bundle: tells how much of each map lies in the lungs.")
    ] = None,
    features: Annotated[Path | None, typer.Option("--features", help="Write the features, a row an image (.npy).")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for predictions.csv and overlays.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Name the class of each image, with its probabilities.

    An image that cannot be read is named, skipped and counted; the rest go on. Heat maps are of the class that was named.
    """
    from pipeline.cli.bundle_source import find_bundle
    from pipeline.cli.classify_cases import is_vision_text
    from pipeline.data.layouts.source_images import find_images
    from pipeline.engine.files import atomic_write_bytes
    from pipeline.inference.classifier.answers import answer_images, failure_summary, refuse_all_failed, write_class_answers
    from pipeline.inference.classifier.bundle import load_classifier_bundle
    from pipeline.inference.classifier.classifier import Classifier

    methods = tuple(name for name, wanted in (("gradcam", gradcam), ("gradcam_plus_plus", plus_plus)) if wanted)
    if methods and out is None:
        raise UsageError("--gradcam draws pictures.", "Say where with --out DIR.")
    if lungs is not None and not methods:
        raise UsageError("--lungs tells how much of a heat map lies in the lungs.", "Add --gradcam.")
    reporter = Reporter(quiet)
    found = find_bundle(bundle, run, reporter, DEFAULT_CLASSIFIER)
    if is_vision_text(found):
        if plus_plus or features is not None:
            raise UsageError(
                "--gradcam-plus-plus and --features are for a classifier of images alone.", f"{found} reads notes too."
            )
        _classify_cases(found, images or [], note, methods, lungs, out, reporter, as_json)
        return
    if note is not None:
        raise UsageError(f"{found} reads images alone.", "Leave --note out, or give a bundle of vision and text.")
    sources = find_images(images or [])
    targets = _targets(sources, methods, out, features)
    classifier = Classifier(load_classifier_bundle(found))
    keep = _keeper(targets, _segmenter(lungs) if lungs is not None else None)
    answers = list(answer_images(classifier, reporter.track(sources, len(sources), "images"), methods, keep))
    if out is not None:
        write_class_answers(out / PREDICTIONS, answers, classifier.bundle.manifest.class_names)
    for line in failure_summary(answers):
        typer.echo(line, err=True)
    refuse_all_failed(answers)
    if features is not None:
        atomic_write_bytes(features, _npy(answers))
    document = _document(classifier.bundle.manifest, answers, out)
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False) if as_json else _words(document))


def _classify_cases(
    bundle: Path, images: Sequence[Path], note: str | None, methods: Sequence[str], lungs: Path | None, out: Path | None,
    reporter: Reporter, as_json: bool,
) -> None:  # fmt: skip
    from pipeline.cli.classify_cases import classify_cases
    from pipeline.data.layouts.source_images import find_images

    sources = find_images(images) if images or note is None else []
    keep = _keeper(_targets(sources, methods, out, None), _segmenter(lungs) if lungs is not None else None)
    document, words = classify_cases(bundle, sources, note, out, reporter, keep if methods else None)
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False) if as_json else words)


def _targets(
    sources: Sequence[SourceImage], methods: Sequence[str], out: Path | None, features: Path | None
) -> dict[SourceImage, dict[str, Path]]:
    """{image: {method: overlay}}. Raises UsageError where an output would fall on a source or two on one place."""
    from pipeline.data.layouts.source_images import output_names
    from pipeline.engine.outputs import prepare_output, refuse_overwriting

    targets: dict[SourceImage, dict[str, Path]] = {}
    if out is not None and methods:
        for image, name in zip(sources, output_names(sources), strict=True):
            suffixes = {method: "" if method == methods[0] else f"_{method}" for method in methods}
            targets[image] = {method: out / name.with_name(f"{name.name}{end}.png") for method, end in suffixes.items()}
    written = [path for overlays in targets.values() for path in overlays.values()]
    if len(set(written)) < len(written):
        raise UsageError("Two overlays would have one name.", "Ask for one kind of heat map at a time, or rename an image.")
    tables = [path for path in (out / PREDICTIONS if out is not None else None, features) if path is not None]
    refuse_overwriting([*written, *tables], [image.path for image in sources])
    for path in tables:
        prepare_output(path)
    return targets


def _segmenter(bundle: Path) -> Segmenter:
    from pipeline.inference.segmenter.bundle import load_segmenter_bundle
    from pipeline.inference.segmenter.runtimes import open_runtime
    from pipeline.inference.segmenter.segmenter import Segmenter

    opened = load_segmenter_bundle(bundle)
    return Segmenter(opened, open_runtime(opened, "onnx"))


def _keeper(
    targets: Mapping[SourceImage, Mapping[str, Path]], segmenter: Segmenter | None
) -> Callable[[SourceImage, np.ndarray, Classification], dict[str, float | None]]:
    """Draws an image's overlays, and measures its maps against the lungs where there is a segmenter."""

    def keep(image: SourceImage, gray: np.ndarray, answer: Classification) -> dict[str, float | None]:
        from pipeline.evaluation.studies.lung_energy import lung_energy
        from pipeline.inference.activation.overlays import draw_activation
        from pipeline.inference.segmenter.overlays import write_png

        measured: dict[str, float | None] = {}
        mask = segmenter.segment(gray).lung_mask if segmenter is not None and answer.activations else None
        for method, activation in answer.activations.items():
            text = f"{TITLES[method]}: {answer.predicted} {100 * answer.confidence:.1f} %"
            write_png(targets[image][method], draw_activation(gray, activation, text))
            if mask is not None:
                measured[f"{method}_lung_energy"], measured["lung_area"] = lung_energy(activation, mask)
        return measured

    return keep


def _npy(answers: Sequence[ImageAnswer]) -> bytes:
    import io

    import numpy as np

    from pipeline.inference.classifier.answers import feature_rows

    content = io.BytesIO()
    np.save(content, feature_rows(answers), allow_pickle=False)
    return content.getvalue()


def _document(manifest: ClassifierManifest, answers: Sequence[ImageAnswer], out: Path | None) -> dict:
    from pipeline.inference.classifier.answers import failed_answers, image_name

    failed = len(failed_answers(answers))
    energies = {
        method: [answer.extra.get(f"{method}_lung_energy") for answer in answers if f"{method}_lung_energy" in answer.extra]
        for method in TITLES
    }
    return {
        "out": str(out) if out is not None else None,
        "class_names": list(manifest.class_names),
        "positive_class": manifest.positive_class,
        "threshold": manifest.threshold,
        "images": len(answers),
        "answered": len(answers) - failed,
        "failed": failed,
        "mean_lung_energy": {method: _mean(values) for method, values in energies.items() if values},
        "answers": [
            {
                "image": image_name(answer),
                "predicted": answer.predicted,
                "confidence": answer.confidence,
                "probabilities": answer.probs,
                "error": answer.error,
                **answer.extra,
            }
            for answer in answers
        ],
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _words(document: dict) -> str:
    from pipeline.inference.multitask.rendering import CAUTION

    answered = [answer for answer in document["answers"] if answer["error"] is None]
    lines = [f"{answer['image']}: {answer['predicted']} {answer['confidence']:.1%}" for answer in answered[:10]]
    if len(answered) > 10:
        lines.append(f"… and {len(answered) - 10} more")
    if document["positive_class"]:
        lines.append(f"{document['positive_class']} is named from probability {document['threshold']:.4g} on.")
    for method, share in document["mean_lung_energy"].items():
        told = "no map with lungs to compare" if share is None else f"{share:.1%} of it lies in the lungs, on average"
        lines.append(f"{TITLES[method]}: {told}.")
    where = f"; {PREDICTIONS} in {document['out']}" if document["out"] else ""
    lines.append(f"{document['answered']} of {document['images']} images answered{where}")
    return "\n".join([*lines, CAUTION])
