"""Token features of notes: computed once by a frozen encoder, one note at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from pipeline.data.notes.note_tokens import NoteTokenizer, NoteTokens
from pipeline.models.text_encoders import TextEncoder, build_text_encoder, round_to_int8
from pipeline.training.vision_text.settings import EncoderSettings


@dataclass(frozen=True)
class TextFeatures:
    """tokens: ``(N, T, F)`` float32, zero behind a note's end; mask: ``(N, T)`` float32; pieces: what was read."""

    tokens: np.ndarray
    mask: np.ndarray
    pieces: NoteTokens

    def means(self) -> np.ndarray:
        """``(N, F)`` float32: the mean piece of each note, zero for an empty one."""
        return self.tokens.sum(axis=1) / np.maximum(self.mask.sum(axis=1, keepdims=True), 1)


def load_encoder(settings: EncoderSettings) -> tuple[TextEncoder, NoteTokenizer]:
    """The encoder with its kernels rounded to what is stored, and its tokenizer. Raises as `build_text_encoder`."""
    encoder = build_text_encoder(settings.source, settings.window)
    if settings.precision == "int8":
        round_to_int8(encoder.network)
    return encoder, NoteTokenizer(encoder.folder, encoder.window)


def compiled_encoder(network: keras.Model) -> Callable[[np.ndarray, np.ndarray], tf.Tensor]:
    """The encoder's inference pass as one graph for any number of notes and pieces."""
    signature = [tf.TensorSpec((None, None), tf.int32)] * 2
    return tf.function(lambda ids, mask: network([ids, mask], training=False), input_signature=signature)


def text_features(
    network: keras.Model,
    tokenizer: NoteTokenizer,
    notes: Sequence[str],
    track: Callable[[Iterable, int], Iterable] = lambda rows, _: rows,
    length: int | None = None,
) -> TextFeatures:
    """Features of N notes (``""``: none) by an encoder's network, padded to the longest or to ``length`` pieces.

    Each note is computed alone, unpadded, as `NoteEncoder` does it later.
    """
    pieces = tokenizer.encode(notes, length)
    forward = compiled_encoder(network)
    tokens = np.zeros((*pieces.ids.shape, int(network.output_shape[-1])), np.float32)
    known: dict[bytes, int] = {}
    for row in track(range(len(notes)), len(notes)):
        own = int(pieces.mask[row].sum())
        if own == 0:
            continue
        twin = known.setdefault(pieces.ids[row].tobytes(), row)
        if twin != row:
            tokens[row] = tokens[twin]
            continue
        ids, mask = pieces.ids[row : row + 1, :own], pieces.mask[row : row + 1, :own]
        tokens[row, :own] = forward(tf.constant(ids), tf.constant(mask)).numpy()[0]
    return TextFeatures(tokens, pieces.mask.astype(np.float32), pieces)
