"""A classifier's bundle of a few kilobytes in the real layout: mean gray of 8×8 places in 4 channels, one linear head."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE, PLACES, CHANNELS = 32, 8, 4
BINARY, THREE = ("NORMAL", "PNEUMONIA"), ("NORMAL", "BACTERIA", "VIRUS")
NETWORK = "classifier.onnx"


def head_of(classes: int) -> np.ndarray:
    """(C, K): the last class rises with the brightness, the others fall; 4 channels of different gain."""
    head = -np.linspace(4.0, 6.0, CHANNELS * classes, dtype=np.float32).reshape(CHANNELS, classes)
    head[:, -1] *= -1
    return head.astype(np.float16)


def write_classifier(
    folder: Path, names: tuple[str, ...] = BINARY, graph_names: tuple[str, ...] | None = None, steepness: float = 1.0
) -> Path:
    """The bundle; `graph_names`, where given, are the classes that the graph itself says it has. steepness: of the head; at 1 a
    float32's last bit moves a probability by a millionth."""
    folder.mkdir(parents=True)
    _write_graph(folder / NETWORK, head_of(len(names)) * np.float16(steepness), graph_names or names)
    describe(folder, names)
    return folder


def describe(folder: Path, names: tuple[str, ...] = BINARY, **changes) -> None:
    """bundle.json with the hashes of what is there; `changes` replace top-level entries."""
    is_binary = len(names) == 2
    document = {
        "schema_version": 1,
        "system": "classifier",
        "class_names": list(names),
        "positive_class": names[-1] if is_binary else None,
        "threshold": 0.5 if is_binary else None,
        "backbone": "Tiny",
        "profile": {"modality": "xray", "size": SIZE, "operations": []},
        "network": {"file": NETWORK, "opset": 17},
    } | changes
    files = sorted(path for path in folder.iterdir() if path.name != "bundle.json")
    document.setdefault("files", {path.name: _stored(path.read_bytes()) for path in files})
    (folder / "bundle.json").write_text(json.dumps(document, indent=2, sort_keys=True))


def _stored(content: bytes) -> dict:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _write_graph(path: Path, head: np.ndarray, names: tuple[str, ...]) -> None:
    """feature_maps = relu(gain · block mean); features = their means; logits = features @ head + bias; gradients = headᵀ."""
    gains = np.array([1.0, 0.5, 2.0, 0.25], np.float32)
    # a scan of mean gray 0.5 sits on the edge between the last class and the others
    bias = -0.5 * (gains @ head.astype(np.float32))
    stored = {
        "gains": gains.reshape(1, 1, 1, CHANNELS),
        "head": head,
        "bias": bias.astype(np.float32),
        "turned": head.astype(np.float32).T[None],
        "zero": np.zeros(1, np.float32),
    }
    step = SIZE // PLACES
    nodes = [
        helper.make_node("Transpose", ["image"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["first"], ["blocks"], kernel_shape=[step, step], strides=[step, step]),
        helper.make_node("Transpose", ["blocks"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Mul", ["last", "gains"], ["feature_maps"]),
        helper.make_node("ReduceMean", ["feature_maps"], ["features"], axes=[1, 2], keepdims=0),
        helper.make_node("Cast", ["head"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["features", "wide"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["classification"]),
        # the gradient does not depend on the image, yet there is one for each row
        helper.make_node("ReduceMean", ["image"], ["level"], axes=[1, 2], keepdims=1),
        helper.make_node("Squeeze", ["level", "axis"], ["flat"]),
        helper.make_node("Mul", ["flat", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "turned"], ["class_activation_gradients"]),
    ]
    initializers = [numpy_helper.from_array(value, name) for name, value in stored.items()]
    initializers.append(numpy_helper.from_array(np.array([3], np.int64), "axis"))
    doors = {
        "classification": [None, len(names)],
        "features": [None, CHANNELS],
        "feature_maps": [None, PLACES, PLACES, CHANNELS],
        "class_activation_gradients": [None, len(names), CHANNELS],
    }
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in doors.items()]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, SIZE, SIZE, 1])
    graph = helper.make_graph(nodes, path.stem, [image], outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    facts = {"class_names": json.dumps(list(names)), "system": "classifier", "schema_version": "1"}
    helper.set_model_props(model, facts | ({"positive_class": names[-1]} if len(names) == 2 else {}))
    onnx.checker.check_model(model)
    onnx.save(model, path)
