"""Which exporter writes the bundle of a finished run: told by what the run has made, not by what it is called."""

from __future__ import annotations

import importlib
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipeline.engine.errors import UsageError
from pipeline.engine.rundir import RunDirectory

EXPORTER = "pipeline.export"


class RunKind(StrEnum):
    """The systems whose runs become bundles."""

    MULTI_TASK = "multi_task"
    SEGMENTER = "segmenter"
    CLASSIFIER = "classifier"
    VISION_TEXT = "vision_text"


# An artifact that only runs of that system have.
TOLD_BY = {
    "unet_weights": RunKind.SEGMENTER,
    "classifier_weights": RunKind.CLASSIFIER,
    "fusion_recipe": RunKind.VISION_TEXT,
}


def kind_of_run(run: Path) -> RunKind:
    """The system of a run. Raises MissingArtifactError where the folder is no run."""
    directory = RunDirectory(run)
    return next((kind for artifact, kind in TOLD_BY.items() if directory.has(artifact)), RunKind.MULTI_TASK)


def export_run(
    run: Path, out: Path, keras: bool = False, card_text: str = "", opset: int | None = None, layout: str | None = None
) -> Path:
    """Write the run's bundle to ``out``.

    The exporters load TensorFlow, so each is imported here, when it is needed.

    Raises:
        UsageError: ``opset`` or ``layout`` for another run than a segmenter's; ``keras`` for vision and text.
    """
    kind = kind_of_run(run)
    if kind is RunKind.SEGMENTER:
        source = _exporter("segmenter.source").read_segmenter_run(run)
        return _exporter("segmenter.bundle").write_segmenter_bundle(source, out, keras, opset or 17, layout or "NHWC", card_text)
    if opset is not None or layout is not None:
        raise UsageError("--opset and --layout are for a segmenter.", f"{run} is a run of another system.")
    if kind is RunKind.CLASSIFIER:
        return _exporter("classifier.bundle").export_classifier(run, out, keras, card_text)
    if kind is RunKind.VISION_TEXT:
        if keras:
            raise UsageError("--keras is not for a bundle of vision and text.", "Leave it out.")
        return _exporter("vision_text.bundle").write_fusion_bundle(run, out, card_text)
    return _exporter("multitask.bundle").export_bundle(run, out, keras, card_text)


def _exporter(module: str) -> Any:
    return importlib.import_module(f"{EXPORTER}.{module}")
