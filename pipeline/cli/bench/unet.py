"""An answer of the multi-head UNet on each runtime against Keras: it takes both training's network and export's graph."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.export.onnx.graphs import graph_metadata
from pipeline.export.onnx.segmenter import convert_segmenter
from pipeline.inference.segmenter.runtimes import OnnxRuntime, OpenVinoRuntime
from pipeline.models.unet import build_unet
from pipeline.training.benchmarks.fits import measured
from pipeline.training.benchmarks.unet_step import CLASSES, rounds

KERAS = "keras"


def bench_unet(size: int = 256, repeats: int = 20, **shape: Any) -> list[dict]:
    """One image through onnxruntime and OpenVINO, each against a compiled ``tf.function`` of the same Keras network.

    All take turns in one run. ``max_difference``: of the lung probabilities from Keras's. The weights are random: a
    runtime's speed does not depend on them. shape: of ``build_unet``, where another than the default is meant.
    """
    network = build_unet(CLASSES, **shape)
    forward = tf.function(lambda images: network(images, training=False))
    image = np.random.default_rng(0).random((1, size, size, 3), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "unet.onnx")
        names = [f"class_{number}" for number in range(CLASSES)]
        path.write_bytes(convert_segmenter(network, graph_metadata(names, "", "bench", 1)).SerializeToString())
        runtimes = {
            "unet onnxruntime fp32": OnnxRuntime(path, device="cpu"),
            "unet OpenVINO fp32": OpenVinoRuntime(path, precision="f32"),
            "unet OpenVINO bf16": OpenVinoRuntime(path, precision="bf16"),
        }
        expected = forward(image)["segmentation"].numpy()
        works: dict[str, Callable[[], object]] = {KERAS: lambda: forward(image)["segmentation"].numpy()}
        works |= {name: lambda runtime=runtime: runtime.run(image) for name, runtime in runtimes.items()}
        times = rounds(works, repeats)
        differences = {name: float(np.abs(runtime.run(image)[0] - expected).max()) for name, runtime in runtimes.items()}
    reference = f"Keras tf.function float32, batch 1, {size} px"
    return [
        measured(name, reference, times[name], times[KERAS], repeats) | {"max_difference": differences[name]}
        for name in runtimes
    ]
