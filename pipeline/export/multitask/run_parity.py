"""The graphs of a bundle on the run's own rows, against the numbers that the stages stored."""

from __future__ import annotations

import csv
from collections.abc import Mapping

import numpy as np

from pipeline.data.scans import PAIRED
from pipeline.engine.arrays import read_selected
from pipeline.export.multitask.finished_run import ROLES, FinishedRun
from pipeline.export.parity import Graph, ParityRecord, spread_rows

PIXEL_ROWS = 32


def compare_backbone_rows(
    record: ParityRecord, source: FinishedRun, read_by: Mapping[str, str], graphs: Mapping[str, Graph]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Backbone graphs on stored pixels against the stored features.

    Returns, for each embedder (``xray_task`` …), the row numbers and ONNX's features ``(n, F)``; a backbone runs
    once for each profile.
    """
    done: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
    features: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name, key in read_by.items():
        profile = source.embedders[name]["profile"]
        if (key, profile) not in done:
            file = source.artifact(f"pixels_{profile}")
            rows = spread_rows(len(source.load(f"pixels_{profile}")), PIXEL_ROWS)
            image = (read_selected(file, rows).astype(np.float32) / np.float32(255))[..., None]
            done[key, profile] = rows, graphs[key].answer({"image": image})["features"]
        rows, found = features[name] = done[key, profile]
        stored = read_selected(source.artifact(f"backbone_features_{name}"), rows)
        record.compare(f"backbone_{key} on {profile} ({name})", found, stored, "the run's backbone features")
    return features


def compare_stored_rows(record: ParityRecord, source: FinishedRun, graphs: Mapping[str, Graph], probability: str) -> None:
    """The networks on every row of the run's stored features against the run's own probabilities.

    probability: the output that gives them.
    """
    joint = {}
    for modality in source.modalities:
        inputs = {f"{role}_features": np.asarray(source.load(f"backbone_features_{modality}_{role}")) for role in ROLES}
        answer = graphs[modality].answer(inputs)
        joint[modality] = answer["joint_features"]
        stored = source.probabilities(modality)
        record.compare(modality, _as_stored(answer[probability]), stored, "the run's probabilities, every scan")
    if PAIRED in source.answered:
        pairs = _pair_rows(source)
        answer = graphs[PAIRED].answer({f"{m}_features": joint[m][rows] for m, rows in pairs.items()})
        stored = source.probabilities(PAIRED)
        record.compare(PAIRED, _as_stored(answer[probability]), stored, "the run's probabilities, every pair")


def _as_stored(probabilities: np.ndarray) -> np.ndarray:
    """What a graph gives ``(n, 1)`` or ``(n, K)`` in the shape in which the run stores it."""
    return probabilities[:, 0] if probabilities.shape[1] == 1 else probabilities


def compare_whole_path(
    record: ParityRecord, source: FinishedRun, graphs: Mapping[str, Graph],
    features: Mapping[str, tuple[np.ndarray, np.ndarray]], probability: str,
) -> None:  # fmt: skip
    """Pixels to probability through backbone and network graphs, against the run's probabilities."""
    for modality in source.modalities:
        rows = features[f"{modality}_task"][0]
        answer = graphs[modality].answer({f"{role}_features": features[f"{modality}_{role}"][1] for role in ROLES})
        stored = source.probabilities(modality)[rows]
        record.compare(f"{modality} from pixels", _as_stored(answer[probability]), stored, "the run's probabilities")


def _pair_rows(source: FinishedRun) -> dict[str, np.ndarray]:
    with source.artifact("pairs").open(newline="", encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    return {modality: np.array([int(row[f"{modality}_row"]) for row in table], np.int64) for modality in source.modalities}
