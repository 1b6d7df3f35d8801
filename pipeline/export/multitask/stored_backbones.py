"""Which backbones a bundle stores: one for all embedders that read the same network, whatever their preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.export.multitask.finished_run import ROLES, FinishedRun
from pipeline.models.backbones.names import feature_key

if TYPE_CHECKING:
    import keras

INPUT_SCALING = "gray, float32 in [0, 1], (B, S, S, 1); the backbone's own scaling is inside the graph"


@dataclass
class StoredBackbone:
    """One backbone of a bundle. ``run_name``: its artifact, or the file it came in; ``profiles``: what embedders feed it."""

    key: str
    name: str
    run_name: str
    network: keras.Model
    profiles: list[str]

    @property
    def file(self) -> str:
        return f"backbone_{self.key}.onnx"

    def entry(self) -> dict:
        """The backbone's record in ``bundle.json``."""
        return {
            "file": self.file,
            "backbone": self.name,
            "size": int(self.network.input_shape[1]),
            "feature_width": int(self.network.output_shape[-1]),
            "input_scaling": INPUT_SCALING,
        }


def collect_backbones(source: FinishedRun) -> tuple[dict[str, StoredBackbone], dict[str, str]]:
    """The distinct backbones of a run by key, and the key that each embedder (``xray_task`` …) reads."""
    stored: dict[str, StoredBackbone] = {}
    read_by: dict[str, str] = {}
    by_artifact: dict[str, str] = {}
    for name in (f"{modality}_{role}" for modality in source.modalities for role in ROLES):
        embedder = source.embedders[name]
        artifact = f"backbone_{embedder['key']}"
        if artifact not in by_artifact:
            by_artifact[artifact] = _store(stored, source, embedder, artifact)
        key = read_by[name] = by_artifact[artifact]
        if embedder["profile"] not in stored[key].profiles:
            stored[key].profiles.append(embedder["profile"])
    return stored, read_by


def modality_entries(read_by: Mapping[str, str], profile_of: Mapping[str, str]) -> dict[str, dict]:
    """What ``bundle.json`` says of each modality: its network, and the backbone and the profile of each of its embedders."""
    return {
        modality: {
            "network": f"{modality}.onnx",
            "embedders": {
                role: {"backbone": read_by[f"{modality}_{role}"], "profile": profile_of[f"{modality}_{role}"]} for role in ROLES
            },
        }
        for modality in dict.fromkeys(name.partition("_")[0] for name in read_by)
    }


def _store(stored: dict[str, StoredBackbone], source: FinishedRun, embedder: dict, artifact: str) -> str:
    network = source.load_network(artifact)
    size = network.input_shape[1]
    after = (embedder.get("fine_tune") or {}).get("after")
    options = embedder["weights"], tuple(embedder["taps"]), embedder.get("mirrored", False), after
    key = feature_key(embedder["backbone"].lower(), str(size), *options)
    if key in stored and not _equal_weights(stored[key].network, network):
        # Weights that differ although they are named alike, such as random ones: kept apart by their profile.
        key = f"{key}_{embedder['profile']}"
    stored.setdefault(key, StoredBackbone(key, embedder["backbone"], artifact, network, []))
    return key


def _equal_weights(a: keras.Model, b: keras.Model) -> bool:
    mine, other = a.get_weights(), b.get_weights()
    return len(mine) == len(other) and all(np.array_equal(x, y) for x, y in zip(mine, other, strict=True))
