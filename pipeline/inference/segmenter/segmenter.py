"""One chest X-ray through a segmenter: lungs at the image's own size, and the diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from pipeline.data.masks.lung_components import lung_pieces
from pipeline.data.masks.lung_geometry import measure_lungs
from pipeline.data.preprocessing import Profile
from pipeline.engine.arrays import Array
from pipeline.engine.errors import DataError
from pipeline.inference.answers import Answer
from pipeline.inference.opened_bundle import IMAGE, OpenedBundle, class_shares, finding_of, network_image
from pipeline.inference.segmenter.bundle import SegmenterBundle, SegmenterManifest, load_segmenter_bundle, network_path
from pipeline.inference.segmenter.runtimes import OnnxRuntime, SegmentationRuntime, open_runtime, run_mirrored, run_padded
from pipeline.inference.sessions import Device, thread_count

if TYPE_CHECKING:
    from pipeline.inference.segmenter.activation import SegmenterActivation


class Segmenter(OpenedBundle[SegmenterManifest]):
    """A bundle on a runtime; its answers carry lungs and their measures."""

    methods = ("gradcam",)

    def __init__(self, bundle: SegmenterBundle, device: Device = "auto", runtime: SegmentationRuntime | None = None) -> None:
        """runtime: onnxruntime on the device, where none is given."""
        super().__init__(bundle, device)
        self._runtime = runtime

    @property
    def runtime(self) -> SegmentationRuntime:
        """What computes the graph; opened when it is first needed."""
        if self._runtime is None:
            self._runtime = open_runtime(self.bundle, device=self._device)
        return self._runtime

    def use(self, runtime: SegmentationRuntime) -> None:
        """Answer with another runtime."""
        self._runtime = runtime

    @property
    def placement(self) -> dict[str, str | int | None]:
        if isinstance(self.runtime, OnnxRuntime):
            return {"device": self.runtime.graph.device, "threads": thread_count()}
        return {"device": None, "threads": None}

    def _answer(self, given: Mapping[str, Any], methods: tuple[str, ...]) -> Answer:
        manifest, gray = self.manifest, given[IMAGE].gray
        run = run_mirrored if manifest.mirror_average else run_padded
        lungs, logits = run(self.runtime, network_input(gray, manifest.profile))
        shares = class_shares(logits[0], manifest.class_names, network_path(self.bundle))
        if not np.isfinite(lungs).all():
            raise DataError("The network answered with values that are no numbers.", "Check the bundle with another image.")
        lung_probs = resized_back(lungs[0, ..., 0], gray.shape)
        lung_mask = lung_pieces(lung_probs >= manifest.threshold, manifest.lung_pieces)
        named = manifest.class_names[manifest.decide(shares)]
        drawn = {method: self._shown.activation(gray, named) for method in methods}
        finding = finding_of(manifest, manifest.profile.modality, shares, drawn)
        return Answer((finding,), lung_probs, lung_mask, measure_lungs(lung_mask).document())

    @cached_property
    def _shown(self) -> SegmenterActivation:
        from pipeline.inference.segmenter.activation import SegmenterActivation

        return SegmenterActivation(self.bundle, self._device)


def open_segmenter(path: Path, device: Device = "auto") -> Segmenter:
    """See `pipeline.inference.bundle.open_bundle`."""
    return Segmenter(load_segmenter_bundle(path), device)


def network_input(gray: Array, profile: Profile) -> Array:
    """uint8 (H, W) → float32 (1, size, size, 3) in [0, 1], three equal channels."""
    return np.repeat(network_image(gray, profile), 3, axis=-1)


def resized_back(lung_probs: Array, shape: tuple[int, ...]) -> Array:
    """Probabilities (h, w) → float32 (H, W), bilinear: the threshold comes after, so the outline stays smooth."""
    height, width = shape
    return np.clip(cv2.resize(lung_probs.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)
