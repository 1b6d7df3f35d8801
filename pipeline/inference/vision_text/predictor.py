"""An X-ray, a note, or both in; class probabilities out. onnxruntime and tokenizers, no TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.preprocessing import Profile, preprocess
from pipeline.engine.arrays import Array
from pipeline.engine.errors import CorruptArtifactError, DataError
from pipeline.inference.activation.channel_gradients import channel_gradients
from pipeline.inference.activation.class_activation import at_size, grad_cam
from pipeline.inference.answers import Answer
from pipeline.inference.bundle import load_bundle
from pipeline.inference.opened_bundle import IMAGE, NOTE, OpenedBundle, batch_image, finding_of
from pipeline.inference.sessions import Device
from pipeline.inference.vision_text.bundle import FusionBundle, FusionManifest
from pipeline.inference.vision_text.note_encoder import NoteEncoder

PATCHES, CLASSIFICATION = "patches", "classification"


class FusionPredictor(OpenedBundle[FusionManifest]):
    """Answers for one case at a time, so that a case's answer never depends on its neighbours.

    Its heat map takes about a second, for the network is asked twice for each channel; a note alone has none. A note that is
    all there is, and of which nothing is left, is no case (DataError).
    """

    doors = (IMAGE, NOTE)
    methods = ("gradcam",)

    def __init__(self, bundle: FusionBundle, device: Device = "auto") -> None:
        super().__init__(bundle, device)
        self._notes = NoteEncoder(bundle, device)

    @property
    def profile(self) -> Profile:
        return self.manifest.image.profile

    def _answer(self, given: Mapping[str, Any], methods: tuple[str, ...]) -> Answer:
        if IMAGE not in given:
            return self._asked(None, given.get(NOTE), (), ())
        gray = given[IMAGE].gray
        return self._asked(preprocess(gray, self.manifest.image.profile), given.get(NOTE), gray.shape, methods)

    def probabilities(self, pixels: Array, notes: Sequence[str | None] = ()) -> Array:
        """Class probabilities (n, K) float64 of scans that are preprocessed already, (n, S, S) uint8, with their notes."""
        cases = zip(pixels, notes or [None] * len(pixels), strict=True)
        answers = [self._asked(scan, note, (), ()) for scan, note in cases]
        return np.array([list(answer.probabilities.values()) for answer in answers])

    def _asked(self, pixels: Array | None, note: str | None, shape: tuple[int, ...], methods: tuple[str, ...]) -> Answer:
        """pixels: as the backbone is fed. shape: of the heat maps."""
        manifest, encoded = self.manifest, self._notes.encode(note)
        if pixels is None and not encoded.present:
            left = "Nothing is left of the note once its diagnosis words are masked" if encoded.masked else "The note is empty"
            raise DataError(f"{left}, and there is no image.", "Give an image, or a note that describes the case.")
        feeds = {
            "patches": self._patches(pixels), "image_present": np.full((1, 1), pixels is not None, np.float32),
            "tokens": encoded.tokens, "note_mask": encoded.mask,
        }  # fmt: skip
        shares = self._shares(feeds)[0]
        best = manifest.decide(shares.astype(np.float64))
        drawn = {method: at_size(self._activation(feeds, best), shape) for method in methods}
        used = tuple(name for name, is_there in ((IMAGE, pixels is not None), (NOTE, encoded.present)) if is_there)
        finding = finding_of(manifest, manifest.image.profile.modality if pixels is not None else "", shares, drawn)
        return Answer((finding,), used=used, masked=encoded.masked, warnings=encoded.warnings)

    def _shares(self, feeds: dict[str, Array]) -> Array:
        shares = self._sessions.run(self.bundle.manifest.network, feeds, (CLASSIFICATION,))[0]
        if not (np.isfinite(shares).all() and np.allclose(shares.sum(axis=1), 1, atol=1e-4)):
            raise CorruptArtifactError(f"The network answered {shares.tolist()}, not probabilities.", "Export the bundle again.")
        return shares

    def _activation(self, feeds: dict[str, Array], class_index: int) -> Array:
        """Grad-CAM (h, w) of a class's logit over the patches; the note stays as it is."""

        def logit(patches: Array) -> Array:
            held = {name: np.repeat(feed, len(patches), axis=0) for name, feed in feeds.items() if name != "patches"}
            shares = np.maximum(self._shares({**held, "patches": patches}).astype(np.float64), np.finfo(np.float32).tiny)
            return np.log(shares[:, class_index]) - np.log(shares[:, 1 - class_index])

        patches = feeds["patches"][0]
        side = math.isqrt(len(patches))
        return grad_cam(patches.reshape(side, side, -1), channel_gradients(logit, patches))

    def _patches(self, pixels: Array | None) -> Array:
        half = self.bundle.manifest.image
        if pixels is None:
            return np.zeros((1, half.patches, half.width), np.float32)
        return self._sessions.run(half.file, {"image": batch_image(pixels[None])}, (PATCHES,))[0]


def open_fusion(path: Path, device: Device = "auto") -> FusionPredictor:
    """See `pipeline.inference.bundle.open_bundle`."""
    return FusionPredictor(load_bundle(path, FusionManifest), device)
