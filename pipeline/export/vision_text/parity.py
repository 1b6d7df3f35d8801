"""Whether a vision-and-text bundle answers as its Keras networks and its run did, on rows of that run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from pipeline.export.parity import ParityRecord
from pipeline.inference.vision_text.bundle import FusionBundle
from pipeline.inference.vision_text.note_encoder import NoteEncoder
from pipeline.inference.vision_text.predictor import FusionPredictor


def check_fusion_parity(
    bundle: FusionBundle, networks: Mapping[str, keras.Model], pixels: np.ndarray, notes: Sequence[str], stored: np.ndarray
) -> dict:
    """Compare encoder and whole path, row by row.

    pixels: ``(n, S, S)`` uint8 at the profile's size; notes: n masked notes; stored: ``(n,)`` probabilities of the
    positive class that the run wrote. Raises CorruptArtifactError beyond 1e-4.
    """
    record = ParityRecord()
    encoder, predictor = NoteEncoder(bundle, "cpu"), FusionPredictor(bundle, "cpu")
    found, expected = [], []
    for note in notes:
        if not note:
            continue
        read = encoder.encode(note)
        pieces = encoder.pieces(note)
        made = np.asarray(networks["text_encoder"]([pieces.ids, pieces.mask], training=False))
        found.append(read.tokens.ravel())
        expected.append(made.ravel())
    record.compare("text_encoder", np.concatenate(found), np.concatenate(expected), "Keras on notes of the run")
    positive = bundle.manifest.positive_class
    answers = [
        predictor.answer(gray, note=note or None).probabilities[positive] for gray, note in zip(pixels, notes, strict=True)
    ]
    record.compare("whole path", np.array(answers), np.asarray(stored), "probabilities that the run stored")
    return record.document()
