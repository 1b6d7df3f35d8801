"""Run folders made by hand: the artifacts that a comparison reads, committed as a stage commits them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.engine.manifest import Manifest, Output

DATASET = {"class_names": ["NORMAL", "BACTERIAL", "VIRAL"], "positive_class": "VIRAL", "leakage": []}


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
