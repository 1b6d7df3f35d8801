"""A bundle of a few kilobytes in the real layout: row means and small random kernels, float16 with casts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASS_NAMES = ["Non_COVID", "COVID"]
JOINT = 1280
SIZES = {"small": 32, "large": 48}
FILES = ("backbone_small.onnx", "backbone_large.onnx", "xray.onnx", "ct.onnx", "paired.onnx")


class Graph:
    """Collects nodes and initialisers; every kernel is stored as float16 and cast."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.stored: list[onnx.TensorProto] = []
        self.count = 0

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes) -> str:
        self.count += 1
        name = output or f"value_{self.count}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def kernel(self, rows: int, columns: int, scale: float = 1.0) -> str:
        self.count += 1
        values = (scale * self.random.normal(size=(rows, columns)) / np.sqrt(rows)).astype(np.float16)
        self.stored.append(numpy_helper.from_array(values, f"kernel_{self.count}"))
        return self.node("Cast", [f"kernel_{self.count}"], to=TensorProto.FLOAT)

    def save(self, path: Path, inputs: dict, outputs: dict, class_names: list[str]) -> None:
        doors = [
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in side.items()]
            for side in (inputs, outputs)
        ]
        graph = helper.make_graph(self.nodes, path.stem, *doors, self.stored)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        facts = {"class_names": json.dumps(class_names), "positive_class": "COVID", "system": "respiratory_mtl"}
        helper.set_model_props(model, facts | {"schema_version": "1"})
        onnx.checker.check_model(model)
        onnx.save(model, path)


def write_bundle(folder: Path, modalities: tuple[str, ...] = ("xray", "ct"), graph_classes: list[str] | None = None) -> Path:
    """xray: both embedders on `small`; ct: task on `large`, shared on the same `small` with CLAHE."""
    folder.mkdir(parents=True)
    names = graph_classes or CLASS_NAMES
    for number, (key, size) in enumerate(SIZES.items()):
        _backbone(folder / f"backbone_{key}.onnx", size, 4 + number, names)
    widths = {"xray": (4, 4), "ct": (5, 4)}
    for number, modality in enumerate(modalities):
        _network(folder / f"{modality}.onnx", *widths[modality], 10 + number, names)
    if len(modalities) == 2:
        _paired(folder / "paired.onnx", names)
    (folder / "MODEL_CARD.md").write_text("# A tiny bundle\n")
    write_description(folder, modalities)
    return folder


def write_description(folder: Path, modalities: tuple[str, ...] = ("xray", "ct"), **changes) -> None:
    """bundle.json with the hashes of what is there; `changes` replace top-level entries."""
    entries = {
        "xray": {"task": {"backbone": "small", "profile": "xray_32"}, "shared": {"backbone": "small", "profile": "xray_32"}},
        "ct": {"task": {"backbone": "large", "profile": "ct_48"}, "shared": {"backbone": "small", "profile": "ct_32_clahe"}},
    }
    auc = {"value": 0.9, "low": 0.85, "high": 0.94}
    document = {
        "schema_version": 1,
        "system": "respiratory_mtl",
        "variant": "plain",
        "class_names": CLASS_NAMES,
        "positive_class": "COVID",
        "threshold": 0.5,
        "profiles": {
            "xray_32": {"modality": "xray", "size": 32, "operations": []},
            "ct_48": {"modality": "ct", "size": 48, "operations": []},
            "ct_32_clahe": {"modality": "ct", "size": 32, "operations": ["clahe"]},
        },
        "backbones": {
            key: {"file": f"backbone_{key}.onnx", "backbone": "Tiny", "size": size, "feature_width": 4 + number}
            for number, (key, size) in enumerate(SIZES.items())
        },
        "modalities": {name: {"network": f"{name}.onnx", "embedders": entries[name]} for name in modalities},
        "paired": {"network": "paired.onnx"} if len(modalities) == 2 else None,
        "figures": {"basis": "mean over 3 trainings", "test": {"xray": {"auc": auc, "accuracy": auc}, "ct": {"auc": auc}}},
        "stored_precision": "float16",
    } | changes
    files = sorted(path for path in folder.iterdir() if path.name != "bundle.json")
    document.setdefault("files", {path.name: _stored(path.read_bytes()) for path in files})
    (folder / "bundle.json").write_text(json.dumps(document, indent=2, sort_keys=True))


def _stored(content: bytes) -> dict:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _backbone(path: Path, size: int, width: int, names: list[str]) -> None:
    """Mean gray of each row, times a kernel."""
    graph = Graph(width)
    first = graph.node("ReduceMean", ["image"], axes=[2, 3], keepdims=0)
    graph.node("MatMul", [first, graph.kernel(size, width, 4.0)], "features")
    graph.save(path, {"image": [None, size, size, 1]}, {"features": [None, width]}, names)


def _network(path: Path, task: int, shared: int, seed: int, names: list[str]) -> None:
    graph = Graph(seed)
    halves = [
        graph.node("MatMul", [f"{role}_features", graph.kernel(width, JOINT // 2)])
        for role, width in (("task", task), ("shared", shared))
    ]
    joint = graph.node("Concat", halves, "joint_features", axis=1)
    _head(graph, joint, JOINT)
    inputs = {"task_features": [None, task], "shared_features": [None, shared]}
    graph.save(path, inputs, {"covid_probs": [None, 1], "joint_features": [None, JOINT]}, names)


def _paired(path: Path, names: list[str]) -> None:
    graph = Graph(20)
    both = graph.node("Concat", ["xray_features", "ct_features"], axis=1)
    _head(graph, both, 2 * JOINT)
    inputs = {"xray_features": [None, JOINT], "ct_features": [None, JOINT]}
    graph.save(path, inputs, {"covid_probs": [None, 1]}, names)


def _head(graph: Graph, features: str, width: int) -> None:
    logit = graph.node("MatMul", [features, graph.kernel(width, 1)])
    graph.node("Sigmoid", [logit], "covid_probs")
