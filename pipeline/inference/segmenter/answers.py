"""Many images through one segmenter: each is answered, or named with the reason why not."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline.data.layouts.source_images import SourceImage
from pipeline.data.reading.colour_reader import read_gray_and_colour
from pipeline.engine.errors import DataError
from pipeline.engine.files import atomic_write_text
from pipeline.inference.segmenter import lung_geometry
from pipeline.inference.segmenter.segmenter import Segmentation, Segmenter

TRUE_CLASS = "true_class"
_NAMED = 5


class Gate(Protocol):
    """What decides whether a picture is a chest X-ray (`pipeline.inference.gate.xray_gate`)."""

    def judge(self, gray: np.ndarray, rgb: np.ndarray | None, strict: bool = False) -> Any: ...


@dataclass(frozen=True)
class ImageAnswer:
    """One image's row. probs: {class: probability}. error: why there is no answer, or None.

    refused: the gate took it for something other than a chest X-ray. extra: further columns.
    """

    image: SourceImage
    predicted: str | None = None
    confidence: float | None = None
    probs: dict[str, float] = field(default_factory=dict)
    geometry: dict[str, int | float | None] = field(default_factory=dict)
    error: str | None = None
    refused: bool = False
    extra: Mapping[str, float | None] = field(default_factory=dict)


def answer_images(
    segmenter: Segmenter,
    images: Iterable[SourceImage],
    keep: Callable[[SourceImage, np.ndarray, Segmentation], Mapping[str, float | None] | None] = lambda image, gray, answer: None,
    gate: Gate | None = None,
    strict: bool = False,
) -> Iterator[ImageAnswer]:
    """Answer the images one after the other; what cannot be read, or what the gate refuses, is named and skipped.

    keep: called with the image, its pixels uint8 (H, W) and its answer, to draw or to compare before they are let go;
    what it returns becomes the row's `extra`.
    strict: the gate's nine checks decide.
    """
    for image in images:
        try:
            gray, colour = read_gray_and_colour(image.path)
            verdict = gate.judge(gray, colour, strict=strict) if gate is not None else None
            if verdict is not None and not verdict.valid:
                yield ImageAnswer(image, error=f"refused by the X-ray gate: {verdict.message}", refused=True)
                continue
            answer = segmenter.segment(gray)
            extra = keep(image, gray, answer) or {}
        except DataError as error:
            yield ImageAnswer(image, error=error.message)
            continue
        measured = lung_geometry.measure_lungs(answer.lung_mask).document()
        yield ImageAnswer(image, answer.predicted, answer.confidence, answer.class_probs, measured, extra=extra)


def write_image_answers(path: Path, answers: Sequence[ImageAnswer], class_names: Sequence[str]) -> None:
    """Write `predictions.csv`, whole or not at all: a row an image, probabilities with float32's 9 digits.

    Columns: image, predicted, confidence, prob_<class> of each, error, true_class where any is known, and those of
    `LungGeometry` and of `extra`.
    """
    known = [TRUE_CLASS] if any(answer.image.label for answer in answers) else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    probs = [f"prob_{name}" for name in class_names]
    extra = list(dict.fromkeys(name for answer in answers for name in answer.extra))
    writer.writerow(["image", "predicted", "confidence", *probs, "error", *known, *lung_geometry.COLUMNS, *extra])
    for answer in answers:
        writer.writerow([
            answer.image.relative.as_posix(), answer.predicted or "", _cell(answer.confidence),
            *(_cell(answer.probs.get(name)) for name in class_names), answer.error or "",
            *([answer.image.label] if known else []), *(_cell(answer.geometry.get(name)) for name in lung_geometry.COLUMNS),
            *(_cell(answer.extra.get(name)) for name in extra),
        ])  # fmt: skip
    atomic_write_text(path, text.getvalue())


def failure_summary(answers: Sequence[ImageAnswer]) -> list[str]:
    """Lines for people: how many images have no answer, and the first of them; [] where all have."""
    failed = [answer for answer in answers if answer.error is not None]
    if not failed:
        return []
    refused = sum(answer.refused for answer in failed)
    what = f" ({refused} refused by the X-ray gate)" if refused else ""
    named = [f"  {answer.image.relative}: {answer.error}" for answer in failed[:_NAMED]]
    more = [f"  … and {len(failed) - _NAMED} more; predictions.csv names them all"] if len(failed) > _NAMED else []
    return [f"warning: {len(failed)} of {len(answers)} images have no answer{what}:", *named, *more]


def refuse_all_failed(answers: Sequence[ImageAnswer]) -> None:
    """Raise DataError where there is no answer at all."""
    if all(answer.error is not None for answer in answers):
        first = answers[0]
        raise DataError(
            f"None of the {len(answers)} images has an answer (first: {first.image.relative}: {first.error})",
            "--no-gate segments what the X-ray gate refuses." if first.refused else "Mend the paths or the images.",
        )


def _cell(value: float | int | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.9g}"
