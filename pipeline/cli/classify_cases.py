"""`classify` with a bundle of vision and text: an image, a note, or both make a case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.progress import Reporter

if TYPE_CHECKING:
    from pipeline.data.layouts.source_images import SourceImage
    from pipeline.inference.classifier.answers import ImageAnswer, Keep
    from pipeline.inference.vision_text.predictor import FusionPredictor

PREDICTIONS = "predictions.csv"


def is_vision_text(bundle: Path) -> bool:
    """Whether a folder's `bundle.json` is of vision and text. Raises MissingArtifactError, CorruptArtifactError."""
    from pipeline.inference.bundle_files import read_description, system_of
    from pipeline.inference.vision_text.bundle import VISION_TEXT

    return system_of(read_description(bundle)) == VISION_TEXT


def classify_cases(
    bundle: Path, sources: Sequence[SourceImage], note: str | None, out: Path | None, reporter: Reporter, keep: Keep | None = None
) -> tuple[dict, str]:
    """Answer each image, or one image and its note, or a note alone; returns a document and its words.

    With `out`, predictions.csv is written there. keep: draws a heat map, as in `answer_images`; None where none is wanted.
    What was taken out of the note, and what to be wary of, is told.
    Raises UsageError for one note and several images, DataError where there is no answer at all.
    """
    from pipeline.inference.classifier.answers import failure_summary, refuse_all_failed, write_class_answers
    from pipeline.inference.vision_text.bundle import load_fusion_bundle
    from pipeline.inference.vision_text.predictor import FusionPredictor

    if note is not None and len(sources) > 1:
        raise UsageError(f"One note and {len(sources)} images.", "A note is of one case: give one image with it, or none.")
    predictor = FusionPredictor(load_fusion_bundle(bundle))
    answers = list(_answers(predictor, reporter.track(sources, len(sources), "images") if sources else [None], note, keep))
    manifest = predictor.bundle.manifest
    if out is not None:
        write_class_answers(out / PREDICTIONS, answers, manifest.class_names)
    for line in failure_summary(answers):
        reporter.line(line)
    refuse_all_failed(answers)
    document = _document(predictor, answers, out)
    return document, _words(document)


def _answers(predictor: FusionPredictor, sources, note: str | None, keep: Keep | None) -> Iterator[ImageAnswer]:
    import numpy as np

    from pipeline.data.reading.gray_reader import read_gray
    from pipeline.inference.classifier.answers import NOTE_ALONE, ImageAnswer
    from pipeline.inference.classifier.classifier import Classification

    for source in sources:
        try:
            gray = read_gray(source.path) if source is not None else None
            found = predictor.answer(gray, note, gradcam=keep is not None)
        except DataError as error:
            yield ImageAnswer(source or NOTE_ALONE, error=error.message)
            continue
        told = {"used": " and ".join(found.used), "masked": ", ".join(found.masked), "warnings": " ".join(found.warnings)}
        confidence = found.probabilities[found.predicted]
        if keep is not None and found.activation is not None:
            drawn = {"gradcam": found.activation}
            told |= keep(source, gray, Classification(found.probabilities, found.predicted, confidence, np.empty(0), drawn))
        yield ImageAnswer(source or NOTE_ALONE, found.predicted, confidence, found.probabilities, told)


def _document(predictor: FusionPredictor, answers: Sequence[ImageAnswer], out: Path | None) -> dict:
    from pipeline.inference.classifier.answers import failed_answers, image_name

    manifest, failed = predictor.bundle.manifest, len(failed_answers(answers))
    return {
        "out": str(out) if out is not None else None,
        "class_names": list(manifest.class_names),
        "positive_class": manifest.positive_class,
        "threshold": manifest.threshold,
        "images": len(answers),
        "answered": len(answers) - failed,
        "failed": failed,
        "answers": [
            {"image": image_name(answer), "predicted": answer.predicted, "confidence": answer.confidence,
             "probabilities": answer.probs, "error": answer.error, **answer.extra}
            for answer in answers
        ],
    }  # fmt: skip


def _words(document: dict) -> str:
    from pipeline.inference.multitask.rendering import CAUTION

    lines = []
    for answer in [answer for answer in document["answers"] if answer["error"] is None][:10]:
        lines.append(f"{answer['image'] or 'note'}: {answer['predicted']} {answer['confidence']:.1%} (by {answer['used']})")
        if answer["masked"]:
            lines.append(f"  words that name the diagnosis were taken out of the note: {answer['masked']}")
        if answer["warnings"]:
            lines.append(f"  note: {answer['warnings']}")
    lines.append(f"{document['positive_class']} is named from probability {document['threshold']:.4g} on.")
    lines.append(f"{document['answered']} of {document['images']} cases answered")
    return "\n".join([*lines, CAUTION])
