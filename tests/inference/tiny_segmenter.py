"""A segmenter's bundle of a few kilobytes whose answers can be worked out by hand.

Lung probability of a pixel: its gray value / 255. Class logits: mean gray / 255 times KERNEL.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASS_NAMES = ["ALPHA", "BETA", "GAMMA"]
SIZE = 32
KERNEL = np.array([[-2.0, 0.0, 2.0]], np.float32)
NETWORK = "unet.onnx"


def write_graph(path: Path, layout: str = "NHWC", kernel: np.ndarray = KERNEL, class_names: list[str] | None = None) -> Path:
    channels, sides = (3, [1, 2]) if layout == "NHWC" else (1, [2, 3])
    constants = {
        "start": np.array([0]), "stop": np.array([1]), "axis": np.array([channels]), "kernel": kernel, "shape": np.array([-1, 1]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Slice", ["image", "start", "stop", "axis"], ["segmentation"]),
        helper.make_node("ReduceMean", ["segmentation"], ["mean"], axes=sides, keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "kernel"], ["classification"]),
    ]
    image, lungs = (["b", "h", "w", last] if layout == "NHWC" else ["b", last, "h", "w"] for last in (3, 1))
    graph = helper.make_graph(
        nodes, "tiny", [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info("segmentation", TensorProto.FLOAT, lungs),
         helper.make_tensor_value_info("classification", TensorProto.FLOAT, ["b", kernel.shape[1]])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"class_names": json.dumps(class_names or CLASS_NAMES)})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def meta(**changes) -> dict:
    return {
        "class_names": CLASS_NAMES, "img_size": SIZE, "normalization": "gray / 255, repeated to 3 channels",
        "outputs": ["segmentation", "classification"], "opset": 17, "dynamic_batch": True, "layout": "NHWC",
    } | changes  # fmt: skip


def write_meta(network: Path, **changes) -> Path:
    path = network.with_name(f"{network.name}.meta.json")
    path.write_text(json.dumps(meta(**changes)))
    return path


def write_segmenter(folder: Path, layout: str = "NHWC", kernel: np.ndarray = KERNEL, **changes) -> Path:
    """`changes` replace top-level entries of bundle.json."""
    folder.mkdir(parents=True)
    write_graph(folder / NETWORK, layout, kernel)
    write_meta(folder / NETWORK, layout=layout)
    describe(folder, layout=layout, **changes)
    return folder


def describe(folder: Path, layout: str = "NHWC", **changes) -> None:
    document = {
        "schema_version": 1, "system": "radiography_unet", "class_names": CLASS_NAMES, "positive_class": None,
        "image_size": SIZE, "profile": {"modality": "xray", "size": SIZE, "operations": []}, "threshold": 0.5,
        "network": {"file": NETWORK, "layout": layout, "opset": 17}, "keras": None, "gate": None, "figures": {},
        "files": {p.name: _stored(p.read_bytes()) for p in sorted(folder.iterdir()) if p.name != "bundle.json"},
    } | changes  # fmt: skip
    (folder / "bundle.json").write_text(json.dumps(document))


def _stored(content: bytes) -> dict:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
