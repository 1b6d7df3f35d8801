"""Many images through one classifier: each is answered, or named with the reason why not."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.data.layouts.source_images import SourceImage
from pipeline.data.reading.gray_reader import read_gray
from pipeline.engine.errors import DataError
from pipeline.engine.files import atomic_write_text
from pipeline.inference.classifier.classifier import Classification, Classifier

LABEL, PATIENT = "label", "patient_id"
# A case without an image: its cell in the column `image` is empty.
NOTE_ALONE = SourceImage(Path(), PurePosixPath())
_NAMED = 5
Keep = Callable[[SourceImage, np.ndarray, Classification], Mapping[str, float | None]]


@dataclass(frozen=True)
class ImageAnswer:
    """One image's row (of a note alone, `NOTE_ALONE`). probs: {class: probability}. extra: further columns, such as a heat
    map's share inside the lungs. error: why there is no answer, or None."""

    image: SourceImage
    predicted: str | None = None
    confidence: float | None = None
    probs: dict[str, float] = field(default_factory=dict)
    extra: Mapping[str, float | str | None] = field(default_factory=dict)
    features: np.ndarray | None = None
    error: str | None = None


def answer_images(
    classifier: Classifier,
    images: Iterable[SourceImage],
    methods: tuple[str, ...] = (),
    keep: Keep = lambda image, gray, answer: {},
) -> Iterator[ImageAnswer]:
    """Answer the images one after the other; what cannot be read is named and skipped.

    methods: the heat maps wanted. keep: called with the image, its pixels uint8 (H, W) and its answer, to draw before
    they are let go; what it returns becomes the row's `extra`.
    """
    for image in images:
        try:
            gray = read_gray(image.path)
            answer = classifier.classify(gray, methods)
            extra = keep(image, gray, answer)
        except DataError as error:
            yield ImageAnswer(image, error=error.message)
            continue
        yield ImageAnswer(image, answer.predicted, answer.confidence, answer.class_probs, extra, answer.features)


def write_class_answers(
    path: Path, answers: Sequence[ImageAnswer], class_names: Sequence[str], patients: Mapping[SourceImage, str] | None = None
) -> None:
    """Write `predictions.csv`, whole or not at all: a row an image, probabilities with float32's 9 digits.

    Columns: image, predicted, confidence, prob_<class> of each, error, then label and patient_id where any is known, and
    the columns of `extra`.
    """
    patients = patients or {}
    has_label = any(answer.image.label for answer in answers)
    extra = list(dict.fromkeys(name for answer in answers for name in answer.extra))
    known = [LABEL] * has_label + [PATIENT] * any(patients.values())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "predicted", "confidence", *(f"prob_{name}" for name in class_names), "error", *known, *extra])
    for answer in answers:
        told = {LABEL: answer.image.label, PATIENT: patients.get(answer.image, "")}
        writer.writerow([
            image_name(answer), answer.predicted or "", _cell(answer.confidence),
            *(_cell(answer.probs.get(name)) for name in class_names), answer.error or "",
            *(told[name] for name in known), *(_cell(answer.extra.get(name)) for name in extra),
        ])  # fmt: skip
    atomic_write_text(path, text.getvalue())


def feature_rows(answers: Sequence[ImageAnswer]) -> np.ndarray:
    """Features (N, F) float32, a row an image in the order of `predictions.csv`; NaN where there is no answer."""
    known = [answer.features for answer in answers if answer.features is not None]
    rows = np.full((len(answers), known[0].size), np.nan, np.float32)
    for place, answer in enumerate(answers):
        if answer.features is not None:
            rows[place] = answer.features
    return rows


def failed_answers(answers: Sequence[ImageAnswer]) -> list[ImageAnswer]:
    """The images without an answer."""
    return [answer for answer in answers if answer.error is not None]


def failure_summary(answers: Sequence[ImageAnswer]) -> list[str]:
    """Lines for people: how many images have no answer, and the first of them; [] where all have, or for a single image,
    whose error `refuse_all_failed` tells."""
    failed = failed_answers(answers)
    if not failed:
        return []
    if len(answers) == 1:
        return []
    named = [f"  {answer.image.relative}: {answer.error}" for answer in failed[:_NAMED]]
    more = [f"  … and {len(failed) - _NAMED} more"] if len(failed) > _NAMED else []
    return [f"warning: {len(failed)} of {len(answers)} images have no answer:", *named, *more]


def refuse_all_failed(answers: Sequence[ImageAnswer]) -> None:
    """Raise DataError where there is no answer at all."""
    failed = failed_answers(answers)
    if len(failed) == len(answers):
        first = failed[0]
        if first.image == NOTE_ALONE:
            raise DataError(first.error or "", "Give an image, or a note that describes the case.")
        raise DataError(
            f"None of the {len(answers)} images has an answer (first: {first.image.relative}: {first.error})",
            "Mend the paths or the images.",
        )


def image_name(answer: ImageAnswer) -> str:
    """The image's path below what was given; "" for a note alone."""
    return "" if answer.image == NOTE_ALONE else answer.image.relative.as_posix()


def _cell(value: float | str | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.9g}"
