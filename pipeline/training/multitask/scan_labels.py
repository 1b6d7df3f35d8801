"""The labels and splits that every training stage reads from s01's index."""

from __future__ import annotations

from pipeline.data.run_classes import RunClasses
from pipeline.data.scan_index import TEXT_COLUMNS, ModalityIndex, labelled_index
from pipeline.engine.context import Context
from pipeline.training.multitask.recipes import Labelled


def read_indexes(context: Context) -> dict[str, ModalityIndex]:
    """The index of each of the stage's modalities, from the artifacts ``scan_index`` and ``dataset``."""
    frame = context.load_csv("scan_index", text=TEXT_COLUMNS)
    classes = RunClasses.of(context.load_json("dataset"))
    return {modality: labelled_index(frame, modality, classes) for modality in context.config.modalities}


def labelled(index: ModalityIndex) -> Labelled:
    """Labels with the training and validation rows of an index."""
    return Labelled(index.labels, index.rows("train"), index.rows("valid"), index.count)


def read_scan_labels(context: Context) -> dict[str, Labelled]:
    """``{modality: labels with training and validation rows}``."""
    return {modality: labelled(index) for modality, index in read_indexes(context).items()}
