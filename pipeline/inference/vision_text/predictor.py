"""An X-ray, a note, or both in; class probabilities out. onnxruntime and tokenizers, no TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.data.preprocessing import preprocess
from pipeline.engine.errors import CorruptArtifactError, DataError, UsageError
from pipeline.inference.activation.channel_gradients import channel_gradients
from pipeline.inference.activation.class_activation import at_size, grad_cam
from pipeline.inference.sessions import Sessions
from pipeline.inference.vision_text.bundle import FusionBundle
from pipeline.inference.vision_text.note_encoder import NoteEncoder

PATCHES, CLASSIFICATION = "patches", "classification"


@dataclass(frozen=True, slots=True)
class FusionAnswer:
    """probabilities: class name → [0, 1], summing to 1, in the bundle's order. predicted: a class name. masked: words
    taken out of the note; warnings: what to be wary of; used: which halves the answer rests on; activation: Grad-CAM of
    the class that was named, float32 (H, W) in [0, 1], where it was asked for and there is an image."""

    probabilities: dict[str, float]
    predicted: str
    masked: tuple[str, ...]
    warnings: tuple[str, ...]
    used: tuple[str, ...]
    activation: np.ndarray | None = None


class FusionPredictor:
    """Answers for one case at a time, so that a case's answer never depends on its neighbours."""

    def __init__(self, bundle: FusionBundle) -> None:
        self.bundle = bundle
        self._sessions = Sessions(bundle)  # type: ignore[arg-type] - path, class_names and positive_class are all it reads
        self._notes = NoteEncoder(bundle)

    def answer(self, gray: np.ndarray | None = None, note: str | None = None, gradcam: bool = False) -> FusionAnswer:
        """The class probabilities of a scan, uint8 ``(H, W)`` as `read_gray` gives it, and its note; either may be None.

        gradcam: draw the heat map too; it takes about a second, for the network is asked twice for each channel.

        Raises UsageError where neither is given, DataError where a note is all there is and nothing is left of it,
        CorruptArtifactError for a graph that does not fit.
        """
        if gray is None and note is None:
            raise UsageError("Neither an image nor a note was given.", "Give one or both.")
        pixels = None if gray is None else preprocess(gray, self.bundle.manifest.image.profile)
        return self._answer(pixels, note, None if gray is None or not gradcam else gray.shape)

    def preprocessed_answer(self, pixels: np.ndarray, note: str | None = None) -> FusionAnswer:
        """As `answer`, for a scan that is preprocessed already: uint8 (S, S), as the backbone is fed."""
        return self._answer(pixels, note, None)

    def _answer(self, pixels: np.ndarray | None, note: str | None, drawn: tuple[int, int] | None) -> FusionAnswer:
        """drawn: the size of the heat map, None for none."""
        manifest = self.bundle.manifest
        encoded = self._notes.encode(note)
        if pixels is None and not encoded.present:
            left = "Nothing is left of the note once its diagnosis words are masked" if encoded.masked else "The note is empty"
            raise DataError(f"{left}, and there is no image.", "Give an image, or a note that describes the case.")
        feeds = {
            "patches": self._patches(pixels), "image_present": np.full((1, 1), pixels is not None, np.float32),
            "tokens": encoded.tokens, "note_mask": encoded.mask,
        }  # fmt: skip
        shares = self._shares(feeds)[0]
        probabilities = {name: float(share) for name, share in zip(manifest.class_names, shares, strict=True)}
        predicted = self.decide(probabilities)
        used = tuple(name for name, given in (("image", pixels is not None), ("note", encoded.present)) if given)
        activation = None
        if drawn is not None:
            activation = at_size(self._activation(feeds, list(manifest.class_names).index(predicted)), drawn)
        return FusionAnswer(probabilities, predicted, encoded.masked, encoded.warnings, used, activation)

    def decide(self, probabilities: Mapping[str, float]) -> str:
        """The class that probabilities by class name."""
        manifest = self.bundle.manifest
        if probabilities[manifest.positive_class] >= manifest.threshold:
            return manifest.positive_class
        return next(name for name in manifest.class_names if name != manifest.positive_class)

    def _shares(self, feeds: dict[str, np.ndarray]) -> np.ndarray:
        shares = self._sessions.run(self.bundle.manifest.network, feeds, (CLASSIFICATION,))[0]
        if not (np.isfinite(shares).all() and np.allclose(shares.sum(axis=1), 1, atol=1e-4)):
            raise CorruptArtifactError(f"The network answered {shares.tolist()}, not probabilities.", "Export the bundle again.")
        return shares

    def _activation(self, feeds: dict[str, np.ndarray], class_index: int) -> np.ndarray:
        """Grad-CAM (h, w) of a class's logit over the patches; the note stays as it is."""

        def logit(patches: np.ndarray) -> np.ndarray:
            held = {name: np.repeat(feed, len(patches), axis=0) for name, feed in feeds.items() if name != "patches"}
            shares = np.maximum(self._shares({**held, "patches": patches}).astype(np.float64), np.finfo(np.float32).tiny)
            return np.log(shares[:, class_index]) - np.log(shares[:, 1 - class_index])

        patches = feeds["patches"][0]
        side = math.isqrt(len(patches))
        return grad_cam(patches.reshape(side, side, -1), channel_gradients(logit, patches))

    def _patches(self, pixels: np.ndarray | None) -> np.ndarray:
        half = self.bundle.manifest.image
        if pixels is None:
            return np.zeros((1, half.patches, half.width), np.float32)
        image = (pixels.astype(np.float32) / np.float32(255))[None, ..., None]
        return self._sessions.run(half.file, {"image": image}, (PATCHES,))[0]
