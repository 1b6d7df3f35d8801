"""An X-ray, a note, or both in; class probabilities out. onnxruntime and tokenizers, no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.data.preprocessing import preprocess
from pipeline.engine.errors import CorruptArtifactError, DataError, UsageError
from pipeline.inference.fusion_bundle_files import FusionBundle
from pipeline.inference.note_encoder import NoteEncoder
from pipeline.inference.sessions import Sessions

PATCHES, CLASSIFICATION = "patches", "classification"


@dataclass(frozen=True, slots=True)
class FusionAnswer:
    """probabilities: class name → [0, 1], summing to 1, in the bundle's order. predicted: a class name. masked: words
    taken out of the note; warnings: what to be wary of; used: which halves the answer rests on."""

    probabilities: dict[str, float]
    predicted: str
    masked: tuple[str, ...]
    warnings: tuple[str, ...]
    used: tuple[str, ...]


class FusionPredictor:
    """Answers for one case at a time, so that a case's answer never depends on its neighbours."""

    def __init__(self, bundle: FusionBundle) -> None:
        self.bundle = bundle
        self._sessions = Sessions(bundle)  # type: ignore[arg-type] - path, class_names and positive_class are all it reads
        self._notes = NoteEncoder(bundle)

    def answer(self, gray: np.ndarray | None = None, note: str | None = None) -> FusionAnswer:
        """The class probabilities of a scan, uint8 ``(H, W)`` as `read_gray` gives it, and its note; either may be None.

        Raises UsageError where neither is given, DataError where a note is all there is and nothing is left of it,
        CorruptArtifactError for a graph that does not fit.
        """
        if gray is None and note is None:
            raise UsageError("Neither an image nor a note was given.", "Give one or both.")
        manifest = self.bundle.manifest
        encoded = self._notes.encode(note)
        if gray is None and not encoded.present:
            raise DataError("Nothing is left of the note once its diagnosis words are masked, and there is no image.",
                            "Give an image, or a note that describes the case.")  # fmt: skip
        feeds = {
            "patches": self._patches(gray), "image_present": np.full((1, 1), gray is not None, np.float32),
            "tokens": encoded.tokens, "note_mask": encoded.mask,
        }  # fmt: skip
        shares = self._sessions.run(manifest.network, feeds, (CLASSIFICATION,))[0][0]
        if not (np.isfinite(shares).all() and abs(float(shares.sum()) - 1) < 1e-4):
            raise CorruptArtifactError(f"The network answered {shares.tolist()}, not probabilities.", "Export the bundle again.")
        probabilities = {name: float(share) for name, share in zip(manifest.class_names, shares, strict=True)}
        positive = manifest.positive_class
        other = next(name for name in manifest.class_names if name != positive)
        predicted = positive if probabilities[positive] >= manifest.threshold else other
        used = tuple(name for name, given in (("image", gray is not None), ("note", encoded.present)) if given)
        return FusionAnswer(probabilities, predicted, encoded.masked, encoded.warnings, used)

    def _patches(self, gray: np.ndarray | None) -> np.ndarray:
        half = self.bundle.manifest.image
        if gray is None:
            return np.zeros((1, half.patches, half.width), np.float32)
        pixels = preprocess(gray, half.profile)
        image = (pixels.astype(np.float32) / np.float32(255))[None, ..., None]
        return self._sessions.run(half.file, {"image": image}, (PATCHES,))[0]
