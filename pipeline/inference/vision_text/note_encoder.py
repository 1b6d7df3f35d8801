"""A note as a bundle's network reads it: masked, cut into pieces, encoded, on onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.data.notes.clinical_notes import NoteMasker, language_warning
from pipeline.data.notes.note_tokens import NoteTokenizer, NoteTokens
from pipeline.engine.arrays import Array
from pipeline.inference.sessions import Device, Graph, open_graph
from pipeline.inference.vision_text.bundle import FusionBundle

FEATURES = "token_features"
# Else onnxruntime rounds what flows between the layers to 8 bits too, and answers differ from the training's.
AS_STORED = {"session.disable_quant_qdq": "1"}


@dataclass(frozen=True)
class EncodedNote:
    """tokens: ``(1, T, width)`` float32; mask: ``(1, T)`` float32, all 0 where there is no note. text: what was read;
    masked: the words taken out of it; warnings: what its reader should know."""

    tokens: Array
    mask: Array
    text: str
    masked: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def present(self) -> bool:
        return bool(self.mask.any())


class NoteEncoder:
    """Encodes one note at a time, exactly as the training did: alone and unpadded."""

    def __init__(self, bundle: FusionBundle, device: Device = "auto") -> None:
        self._bundle, self._device = bundle, device
        self._half = bundle.manifest.note
        self._masker = NoteMasker(self._half.mask_words)

    def encode(self, note: str | None) -> EncodedNote:
        """None, an empty note, or one of masked words only: nothing present, and a warning for the latter two."""
        found = self._masker.mask(note or "")
        if not found.text:
            said = () if note is None else (_emptied(found.masked),)
            nothing = np.zeros((1, 1, self._half.width), np.float32)
            return EncodedNote(nothing, np.zeros((1, 1), np.float32), "", found.masked, said)
        pieces = self.pieces(found.text)
        tokens = self._graph.run({"note_ids": pieces.ids, "note_mask": pieces.mask}, (FEATURES,))[0]
        warnings = [language_warning(found.text, float(pieces.unknown_share[0]))]
        if pieces.truncated[0]:
            warnings.append(f"The note has {pieces.pieces[0]} word pieces, {pieces.window} are read: its end was cut off.")
        kept = tuple(warning for warning in warnings if warning)
        return EncodedNote(tokens, pieces.mask.astype(np.float32), found.text, found.masked, kept)

    def pieces(self, text: str) -> NoteTokens:
        """The ids of a note that is masked already."""
        return self._tokenizer.encode([text])

    @cached_property
    def _tokenizer(self) -> NoteTokenizer:
        return NoteTokenizer(self._bundle.path / self._half.tokenizer, self._half.window)

    @cached_property
    def _graph(self) -> Graph:
        return open_graph(self._bundle.path / self._half.file, self._device, settings=AS_STORED)


def _emptied(masked: tuple[str, ...]) -> str:
    if masked:
        return "The note held nothing but masked words: the answer rests on the image alone."
    return "The note is empty: the answer rests on the image alone."
