"""The multi-head UNet as one ONNX graph with its metadata beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import keras
import numpy as np
import onnx

from pipeline.engine.errors import UsageError
from pipeline.engine.files import write_json
from pipeline.export.onnx.conversion import OPSET, check_graph
from pipeline.export.onnx.graphs import convert_network, kernels_of
from pipeline.export.onnx.stored_weights import halved
from pipeline.export.segmenter.source import SegmenterSource
from pipeline.inference.segmenter.bundle import (
    CLASSIFICATION,
    META_SUFFIX,
    NORMALIZATION,
    OUTPUTS,
    SEGMENTATION,
    Layout,
    NetworkMeta,
)

MEANINGS = {SEGMENTATION: "probability of lung", CLASSIFICATION: "logits"}
# 13 is the first in which the checker knows every operation used; 18 the last that tf2onnx 1.17 writes.
OPSETS = range(13, 19)


def convert_segmenter(
    network: keras.Model, metadata: dict[str, str], opset: int = OPSET, layout: Layout = "NHWC"
) -> onnx.ModelProto:
    """A network of ``build_unet`` as a graph, float32 at its doors.

    Input ``image`` ``(batch, height, width, 3)`` in [0, 1]; outputs ``segmentation`` ``(batch, height, width, 1)``
    probabilities and ``classification`` ``(batch, classes)`` logits. With ``NCHW`` the channels stand second. Batch is
    free; height and width are where the network's are (multiples of 16 then).

    Raises:
        UsageError: an opset that cannot be written.
        CorruptArtifactError: the checker refuses the graph.
    """
    if opset not in OPSETS:
        raise UsageError(f"opset {opset} cannot be written.", f"Choose {OPSETS.start} to {OPSETS.stop - 1}; 17 is the default.")
    graph = convert_network(network, OUTPUTS, metadata, opset, channels_first=layout == "NCHW")
    _name_sides(graph, layout)
    check_graph(graph)
    return graph


def write_meta(network: Path, source: SegmenterSource, opset: int, layout: Layout) -> Path:
    """Write ``<network>.meta.json``: what must be known to feed the graph and to read its answers."""
    meta = NetworkMeta(
        class_names=tuple(source.class_names), img_size=source.profile.size, normalization=NORMALIZATION, outputs=OUTPUTS,
        opset=opset, dynamic_batch=True, layout=layout, profile=source.profile, threshold=source.threshold,
        lung_pieces=source.lung_pieces, mirror_average=source.mirror_average,
    )  # fmt: skip
    path = network.with_name(network.name + META_SUFFIX)
    write_json(path, meta.model_dump(mode="json") | {"input": "image", **MEANINGS})
    return path


def stored_precision_of(network: keras.Model) -> Literal["float16", "float32"]:
    """``float16`` where every kernel of a network holds float16 numbers, so that storing them so loses nothing."""
    return "float16" if all(halved(np.asarray(kernel.value)) is not None for kernel in kernels_of(network)) else "float32"


def _name_sides(graph: onnx.ModelProto, layout: Layout) -> None:
    """Call the free sides height and width, at every door alike."""
    sides = {"NHWC": (1, 2), "NCHW": (2, 3)}[layout]
    for door in (*graph.graph.input, *graph.graph.output):
        shape = door.type.tensor_type.shape.dim
        for place, name in zip(sides, ("height", "width"), strict=True):
            if len(shape) == 4 and not shape[place].dim_value:
                shape[place].dim_param = name
