"""Runtimes that compute a segmenter's graph: onnxruntime and OpenVINO here, Keras from outside.

Each takes ``(B, H, W, 3)`` float32 in [0, 1] and gives ``(B, H, W, 1)`` float32 probabilities of lung and ``(B, K)``
float32 class logits, whatever the order of the axes at the graph's own doors.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from pipeline.engine.arrays import Array
from pipeline.engine.errors import CorruptArtifactError
from pipeline.engine.extras import brought_by_extra
from pipeline.inference.segmenter.bundle import CLASSIFICATION, OUTPUTS, SEGMENTATION, Layout, SegmenterBundle, network_path
from pipeline.inference.sessions import Device, Shape, open_graph

Precision = Literal["f32", "bf16"]
# The deepest level sees the image at a sixteenth of its size.
MULTIPLE = 16
DO_WITHOUT = "Or do without: --runtime onnx."


class SegmentationRuntime(Protocol):
    """See the head of this module."""

    name: str

    def run(self, images: Array) -> tuple[Array, Array]: ...


class OnnxRuntime:
    """onnxruntime; on the CPU the bundle's figures were taken."""

    name = "onnx"

    def __init__(
        self, network: Path, layout: Layout = "NHWC", class_names: tuple[str, ...] | None = None, device: Device = "auto"
    ) -> None:
        """Raises CorruptArtifactError: no graph that onnxruntime takes, other doors, other classes than `class_names`."""
        # One session at a time works here: its threads may wait busily.
        self.graph = open_graph(network, device, spinning=True)
        self._layout = layout
        _check_doors(network, layout, list(self.graph.inputs.values()), list(self.graph.outputs))
        if class_names is not None:
            self.graph.require_facts({"class_names": json.dumps(list(class_names))})
        self._door = next(iter(self.graph.inputs))

    def run(self, images: Array) -> tuple[Array, Array]:
        lungs, logits = self.graph.run({self._door: _to_door(images, self._layout)}, OUTPUTS)
        return _from_door(lungs, self._layout), logits


class OpenVinoRuntime:
    """OpenVINO on the CPU; `bf16` where the processor computes in bfloat16 (answers then differ by up to about 1e-2)."""

    name = "openvino"

    def __init__(self, network: Path, layout: Layout = "NHWC", precision: Precision = "f32") -> None:
        """Raises MissingPackageError: openvino is not installed; CorruptArtifactError: no graph, or other doors."""
        with brought_by_extra(DO_WITHOUT):
            import openvino
        try:
            model = openvino.Core().read_model(str(network))
        except RuntimeError as cause:
            reason = str(cause).strip().splitlines()[-1]
            raise CorruptArtifactError(f"{network}: OpenVINO refuses the graph ({reason}).", "Export it again.") from cause
        self._layout = layout
        self._outputs = {output.get_any_name(): position for position, output in enumerate(model.outputs)}
        shapes = [[side.get_length() if side.is_static else None for side in door.partial_shape] for door in model.inputs]
        _check_doors(network, layout, shapes, list(self._outputs))
        self._compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})

    def run(self, images: Array) -> tuple[Array, Array]:
        made = self._compiled([_to_door(images, self._layout)])
        lungs, logits = (np.array(made[self._outputs[name]]) for name in (SEGMENTATION, CLASSIFICATION))
        return _from_door(lungs, self._layout), logits


def open_runtime(
    bundle: SegmenterBundle, name: Literal["onnx", "openvino"] = "onnx", device: Device = "auto"
) -> SegmentationRuntime:
    """The bundle's graph on one of the two runtimes that need no TensorFlow. Raises as these do."""
    network, layout = network_path(bundle), bundle.manifest.network.layout
    if name == "onnx":
        return OnnxRuntime(network, layout, bundle.manifest.class_names, device)
    return OpenVinoRuntime(network, layout)


def run_padded(
    runtime: SegmentationRuntime, images: Array, multiple: int = MULTIPLE
) -> tuple[Array, Array]:
    """`runtime.run` for any height and width: the far edges are repeated up to the next multiple, and cropped back.

    images: (B, H, W, 3) float32. Returns lungs (B, H, W, 1) and logits (B, K). The classification head averages over
    the padding too, which weighs little: it is at most 15 rows and columns.
    """
    height, width = images.shape[1:3]
    added = (-height % multiple, -width % multiple)
    if not any(added):
        return runtime.run(images)
    lungs, logits = runtime.run(np.pad(images, ((0, 0), (0, added[0]), (0, added[1]), (0, 0)), mode="edge"))
    return lungs[:, :height, :width], logits


def run_mirrored(runtime: SegmentationRuntime, images: Array) -> tuple[Array, Array]:
    """`run_padded` of the images and of their mirror images (left for right), the latter's lungs mirrored back; the mean."""
    lungs, logits = run_padded(runtime, images)
    mirrored_lungs, mirrored_logits = run_padded(runtime, images[:, :, ::-1])
    return (lungs + mirrored_lungs[:, :, ::-1]) / 2, (logits + mirrored_logits) / 2


def _to_door(images: Array, layout: Layout) -> Array:
    return np.ascontiguousarray(images if layout == "NHWC" else images.transpose(0, 3, 1, 2), np.float32)


def _from_door(lungs: Array, layout: Layout) -> Array:
    return lungs if layout == "NHWC" else lungs.transpose(0, 2, 3, 1)


def _check_doors(network: Path, layout: Layout, inputs: Sequence[Shape], outputs: Sequence[str]) -> None:
    channels = -1 if layout == "NHWC" else 1
    fits = len(inputs) == 1 and len(inputs[0]) == 4 and inputs[0][channels] == 3 and set(OUTPUTS) <= set(outputs)
    if not fits:
        raise CorruptArtifactError(
            f"{network}: the graph takes {inputs} and makes {outputs}; needed are one {layout} image of 3 channels "
            f"and {', '.join(OUTPUTS)}.",
            "Export it again, or mend the layout in its metadata.",
        )
