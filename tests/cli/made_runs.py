"""Run folders made by hand: the artifacts that a comparison reads, committed as a stage commits them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.engine.manifest import Manifest, Output

NAMES = ("NORMAL", "BACTERIAL", "VIRAL")
DATASET = {"class_names": list(NAMES), "positive_class": "VIRAL", "leakage": []}


def make_run(folder: Path, stages: Mapping[str, Mapping[str, tuple[str, bytes]]], dataset: Mapping | None = None) -> Path:
    """A finished run. stages: stage → artifact → (file, content); s01's dataset.json is there in every run."""
    first = {"dataset": ("dataset.json", json.dumps(dict(dataset or DATASET)).encode())}
    every = {"s01_preprocessing": first, **stages}
    record = [{"name": stage, "artifacts": sorted(artifacts)} for stage, artifacts in every.items()]
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"config": {}, "stages": record, "command": "run"}))
    for stage, artifacts in every.items():
        (folder / stage).mkdir()
        outputs = {}
        for name, (file, content) in artifacts.items():
            (folder / stage / file).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            outputs[name] = Output(file, digest, len(content), {file: digest})
        Manifest(stage, {}, 1, "", {}, {}, "", 0, outputs, 0.0).write(folder / stage)
    return folder


def csv_of(columns: dict[str, list]) -> bytes:
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    return ("\n".join(lines) + "\n").encode()


def class_columns(truth, chosen, sure=0.8) -> dict[str, list]:
    probs = np.full((len(truth), 3), (1 - sure) / 2)
    probs[np.arange(len(truth)), chosen] = sure
    return {
        "label": [NAMES[k] for k in truth], "predicted": [NAMES[k] for k in chosen],
        **{f"prob_{name}": probs[:, k].round(4).tolist() for k, name in enumerate(NAMES)},
    }  # fmt: skip


def classifier_run(folder, chosen, folds=None):
    """Test rows of 12 patients with two scans each, four patients a class; and the same rows out of fold."""
    truth = np.repeat(np.arange(12) % 3, 2)
    ids, patients = [f"scan{n}" for n in range(24)], [f"p{n // 2}" for n in range(24)]
    parts = {"test": [-1] * 24} | ({} if folds is None else {"out_of_fold": folds})
    columns = {"id": ids * len(parts), "patient_id": patients * len(parts), "split": np.repeat(list(parts), 24).tolist(),
               "fold": [fold for part in parts.values() for fold in part]}  # fmt: skip
    answers = {name: values * len(parts) for name, values in class_columns(truth, chosen).items()}
    told = json.dumps({"class_names": NAMES, "positive_class": None, "threshold": 0.5}).encode()
    return make_run(folder, {"s08_classifier": {
        "classifier_weights": ("w.h5", b"w"), "classification": ("classification.json", told),
        "classifier_predictions": ("predictions.csv", csv_of(columns | answers)),
    }})  # fmt: skip
