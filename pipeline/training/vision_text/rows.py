"""The rows of a vision-and-text comparison: scans with their notes, read, masked and selected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.data.notes.clinical_notes import MaskedNote, NoteMasker, language_warning
from pipeline.data.notes.note_tokens import NoteTokens
from pipeline.data.scan_index import TEXT_COLUMNS, ModalityIndex, modality_index
from pipeline.engine.context import Context
from pipeline.engine.errors import DataError, did_you_mean
from pipeline.training.vision_text.settings import FusionSettings

MODALITY = "xray"


@dataclass(frozen=True)
class NotedScans:
    """X-rays with their notes.

    index: all X-rays of the run. notes: ``(N,)`` as written, ``""`` where there is none. masked: N of them as a
    network may read them. compared: rows of the comparison, int64; the others are kept for the audit of presence.
    """

    index: ModalityIndex
    notes: np.ndarray
    masked: list[MaskedNote]
    compared: np.ndarray

    @property
    def texts(self) -> list[str]:
        return [note.text for note in self.masked]

    def has_note(self) -> np.ndarray:
        """``(N,)`` bool: something is left of the note after masking."""
        return np.array([bool(note.text) for note in self.masked])


def read_noted_scans(context: Context, settings: FusionSettings) -> NotedScans:
    """Scans of s01 with the notes of ``scan_attributes.csv``, masked.

    Raises DataError as `xray_index` and `read_notes`, and where there is no note at all, or one class without notes.
    """
    index = xray_index(context)
    notes = read_notes(context, index, settings.note_column)
    masker = NoteMasker(settings.mask_words)
    masked = [masker.mask(note) for note in notes]
    has_note = np.array([bool(note.text) for note in masked])
    compared = np.flatnonzero(has_note) if settings.rows == "with_note" else np.arange(len(notes))
    _refuse_one_sided(index.labels[has_note], settings.note_column)
    return NotedScans(index, notes, masked, compared)


def xray_index(context: Context) -> ModalityIndex:
    """All X-rays of the run. Raises DataError where there is none."""
    positive = context.load_json("dataset")["positive_class"]
    return modality_index(context.load_csv("scan_index", TEXT_COLUMNS), MODALITY, positive)


def read_notes(context: Context, index: ModalityIndex, column: str) -> np.ndarray:
    """``(N,)`` str objects of a column of ``scan_attributes.csv``, in the index's order, ``""`` where there is no note.

    Raises DataError where there is no such column.
    """
    attributes = context.load_csv("scan_attributes", ("id", "modality"))
    if column not in attributes:
        raise DataError(f"scan_attributes.csv has no column {column!r}.{did_you_mean(column, attributes.columns)}",
                        "Name it under s01's `attribute_columns`, or mend `note_column`.")  # fmt: skip
    mine = attributes[attributes["modality"] == MODALITY].set_index("id")[column]
    return mine.reindex(index.ids).fillna("").astype(str).to_numpy(object)


def note_table(scans: NotedScans, pieces: NoteTokens) -> pd.DataFrame:
    """One row a scan: what of its note was masked, how much of it was read, and what to be wary of."""
    warnings = [
        language_warning(note.text, share) for note, share in zip(scans.masked, pieces.unknown_share, strict=True)
    ]
    return pd.DataFrame({
        "id": scans.index.ids,
        "compared": np.isin(np.arange(len(scans.notes)), scans.compared),
        "masked_words": ["; ".join(note.masked) for note in scans.masked],
        "masked_count": [len(note.masked) for note in scans.masked],
        "pieces": pieces.pieces,
        "truncated": pieces.truncated,
        "warning": warnings,
        "text": scans.texts,
    })  # fmt: skip


def tell_about_notes(context: Context, scans: NotedScans, pieces: NoteTokens) -> None:
    """Say what was masked, cut or looks foreign."""
    words = sum(len(note.masked) for note in scans.masked)
    touched = sum(bool(note.masked) for note in scans.masked)
    context.log(f"{int(scans.has_note().sum())} of {len(scans.notes)} scans have a note; "
                f"{words} diagnosis words were masked in {touched} of them (masked_notes.csv shows them)")  # fmt: skip
    emptied = int(sum(bool(n) and not m.text for n, m in zip(scans.notes, scans.masked, strict=True)))
    cut = int(pieces.truncated.sum())
    foreign = sum(bool(language_warning(t, s)) for t, s in zip(scans.texts, pieces.unknown_share, strict=True))
    if cut:
        context.warn(f"{cut} notes are longer than the encoder's window of {pieces.window} pieces: their end was not read.")
    if emptied:
        context.warn(f"{emptied} notes held nothing but masked words: they count as missing.")
    if foreign:
        context.warn(f"{foreign} notes hardly fit the encoder's language (masked_notes.csv names them).")


def _refuse_one_sided(labels: np.ndarray, column: str) -> None:
    if not len(labels):
        raise DataError(f"No scan has a note in {column!r}.",
                        "Use a manifest with notes, or train a classifier of the images alone (s08).")  # fmt: skip
    if len(np.unique(labels)) < 2:
        raise DataError(f"Only one class has notes in {column!r}: a note's presence would be the answer.",
                        "Add notes of the other class.")  # fmt: skip
