"""An answer as a piece of HTML for notebooks: the scan with what was found on it, the probabilities, what to be wary of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.engine.arrays import Array
from pipeline.engine.html import png_source, render_html
from pipeline.inference.activation.overlays import METHODS, draw_activation
from pipeline.inference.answers import CAUTION, Answer, Finding, percent
from pipeline.inference.pictures import png_bytes
from pipeline.inference.segmenter.overlays import draw_overlay

TEMPLATE = Path(__file__).with_suffix(".html.j2")


def answer_html(answer: Answer) -> str:
    """One <div>; its pictures lie in it as PNG, so that it needs nothing else, and no script."""
    findings = [
        {
            "title": finding.title if len(answer.findings) > 1 else "",
            "caption": finding.caption,
            "error": finding.error,
            "named": finding.predicted,
            "shares": [(name, 100 * share, percent(share)) for name, share in finding.probabilities.items()],
            "distance": finding.distance,
            "distance_threshold": finding.distance_threshold,
            "pictures": [(title, png_source(png_bytes(picture))) for title, picture in _pictures(answer, finding)],
        }
        for finding in answer.findings
    ]
    facts: dict[str, Any] = {"findings": findings, "warnings": answer.warnings, "masked": answer.masked, "caution": CAUTION}
    return render_html(TEMPLATE, **facts)


def _pictures(answer: Answer, finding: Finding) -> Iterator[tuple[str, Array]]:
    """The scan, with its lungs where there are any, and each heat map over it: a title and uint8 (h, w) or BGR (h, w, 3)."""
    gray = finding.preview.gray() if finding.preview is not None else None
    if gray is None:
        return
    height, width = gray.shape
    if answer.lung_mask is None:
        yield "scan", gray
    else:
        lungs = cv2.resize(answer.lung_mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        yield "lungs", draw_overlay(gray, lungs.astype(bool))
    for method, activation in finding.activations.items():
        heat = cv2.resize(activation.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        yield METHODS.get(method, method), draw_activation(gray, heat)
