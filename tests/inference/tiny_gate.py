"""Gates of a few kilobytes, a bundle's section or a bundle: row means of a 32-px picture, Gaussian around stripes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from pipeline.data.gate.embedding_distance import GateStatistics

SIZE, WIDTH, THRESHOLD = 32, 32, 2.0
ENTRY = {
    "network": "gate_backbone.onnx",
    "statistics": "gate.npz",
    "profile": {"modality": "xray", "size": SIZE, "operations": []},
    "threshold": THRESHOLD,
    "accepted_on_validation": 1.0,
    "method": "by hand",
}


def near(seed: int = 0, side: int = 300) -> np.ndarray:
    """uint8 (side, side): what the tiny gate was fitted to. Bright above, dark below, with texture; passes the nine checks."""
    random = np.random.default_rng(seed)
    rows = np.linspace(230, 20, side)[:, None] * np.ones((1, side))
    rows[::20] *= 0.8
    return np.clip(rows + random.normal(0, 9, rows.shape), 0, 255).astype(np.uint8)


def far(seed: int = 0, side: int = 300) -> np.ndarray:
    """The same upside down: passes the nine checks too, and lies far away."""
    return near(seed, side)[::-1].copy()


def neither(seed: int = 0, side: int = 300) -> np.ndarray:
    """Noise: far from `near` and from `far`."""
    return np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)


def write_gate(folder: Path) -> Path:
    """A gate that is a bundle of its own: `near` are X-rays, `far` are CT slices."""
    write_gate_files(folder)
    upside_down = statistics()
    upside_down = GateStatistics(upside_down.mean[::-1], upside_down.whitening, THRESHOLD, 1.0, "by hand")
    kinds = {}
    for kind, fitted in (("xray", statistics()), ("ct", upside_down)):
        np.savez(folder / f"{kind}.npz", **fitted.arrays())
        profile = ENTRY["profile"] | {"modality": kind}
        kinds[kind] = {"statistics": f"{kind}.npz", "profile": profile, "threshold": THRESHOLD}
    document = {"schema_version": 1, "system": "gate", "network": ENTRY["network"], "kinds": kinds}
    document["files"] = {path.name: stored(path.read_bytes()) for path in sorted(folder.iterdir())}
    (folder / "bundle.json").write_text(json.dumps(document))
    return folder


def shared_entry(gate: Path, folder: Path, **changes) -> dict:
    """A section that rests on the network of `gate`, its statistics written into `folder`."""
    np.savez(folder / "gate_xray.npz", **statistics().packed_arrays())
    digest = json.loads((gate / "bundle.json").read_text())["files"][ENTRY["network"]]["sha256"]
    return ENTRY | {"network": None, "network_sha256": digest, "statistics": "gate_xray.npz"} | changes


def statistics() -> GateStatistics:
    """Mean rows of `near`, spread 0.05 on each."""
    mean = near().astype(np.float64).reshape(300, 300).mean(1) / 255
    mean = np.interp(np.linspace(0, 299, WIDTH), np.arange(300), mean).astype(np.float32)
    return GateStatistics(mean, np.eye(WIDTH, dtype=np.float32) / np.float32(0.05), THRESHOLD, 1.0, "by hand")


def write_gate_files(folder: Path) -> dict:
    """Both files; returns the entry of bundle.json."""
    folder.mkdir(parents=True, exist_ok=True)
    node = helper.make_node("ReduceMean", ["image"], ["features"], axes=[2, 3], keepdims=0)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", SIZE, SIZE, 1])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", WIDTH])
    graph = helper.make_graph([node], "tiny_gate", [image], [features])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / ENTRY["network"])
    np.savez(folder / ENTRY["statistics"], **statistics().arrays())
    return dict(ENTRY)


def write_gate_bundle(folder: Path, **changes) -> Path:
    """A bundle folder that `open_gate` reads; `changes` replace entries of bundle.json."""
    document = {"schema_version": 1, "system": "radiography_unet", "gate": write_gate_files(folder)} | changes
    files = [path for path in sorted(folder.iterdir()) if path.name != "bundle.json"]
    document.setdefault("files", {path.name: stored(path.read_bytes()) for path in files})
    (folder / "bundle.json").write_text(json.dumps(document))
    return folder


def stored(content: bytes) -> dict:
    """What bundle.json says of a file."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
