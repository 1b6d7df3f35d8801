"""What a bundle says of the scans that it learnt from: fitted on the run's own, with the shipped gate's features."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.gate.distance_fit import fit_gate, fit_near
from pipeline.data.preprocessing import Profile
from pipeline.engine.errors import DataError, UsageError
from pipeline.export import amendment
from pipeline.export.gate.distance_section import fit_section, profiles_of
from pipeline.inference.gate.gate import open_gate
from tests.export.made_scan_run import MadeScanRun

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
XRAY = {"modality": "xray", "size": 32, "operations": []}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The tiny gates; one of them, which takes `near` for X-rays and `far` for CT slices, in the shipped one's place."""
    import tiny_gate

    monkeypatch.setattr("pipeline.inference.gate.gate.SHIPPED", tiny_gate.write_gate(tmp_path / "shipped"))
    return tiny_gate


def scans(make, count: int = 48) -> np.ndarray:
    return np.stack([make(seed, 32) for seed in range(count)])


def test_a_run_of_scans_that_the_gate_knows(tiny, tmp_path):
    run = MadeScanRun(tmp_path, {"xray": scans(tiny.near)}, {"plain": XRAY})
    entry = fit_section(run, {"xray": Profile(**XRAY)}, tmp_path)
    assert entry["version"] == 1 and entry["network"] is None and entry["further"] == []
    assert entry["accepted_by_gate"] == 1.0 and entry["widens"] is False and entry["profile"] == XRAY
    # Of the training scans alone, the threshold from the validation scans; the test scans have no say.
    features = np.stack([scan.mean(1) / 255 for scan in scans(tiny.near)])
    rows = np.arange(48) % 4
    expected = fit_gate(features[rows < 2], features[rows == 2], stored=np.float16)
    assert entry["threshold"] == pytest.approx(expected.threshold, rel=1e-2)
    assert "24 training scans" in entry["method"] and "12 validation scans" in entry["method"]


def test_both_modalities_and_scans_of_another_sort(tiny, tmp_path):
    profiles = {"x": XRAY, "c": XRAY | {"modality": "ct"}}
    run = MadeScanRun(tmp_path, {"xray": scans(tiny.neither), "ct": scans(tiny.far)}, profiles)
    entry = fit_section(run, {"xray": Profile(**XRAY), "ct": Profile(**profiles["c"])}, tmp_path)
    (ct,) = entry["further"]
    assert (entry["accepted_by_gate"], entry["widens"]) == (0.0, True) and (ct["accepted_by_gate"], ct["widens"]) == (1.0, False)
    assert {path.name for path in tmp_path.glob("gate_*")} == {"gate_xray.npz", "gate_ct.npz"}
    bundle = tiny.write_gate_bundle(tmp_path / "bundle", gate=None)
    for path in tmp_path.glob("gate_*"):
        path.rename(bundle / path.name)
    written = open_gate(tiny.write_gate_bundle(bundle, gate=entry))
    assert [written.judge(make(99, 32)).kind for make in (tiny.neither, tiny.far)] == ["xray", "ct"]


def test_the_array_that_is_looked_at_is_plain_and_of_the_gates_size(tiny, tmp_path):
    profiles = {"clahe": XRAY | {"operations": ["clahe"]}, "large": XRAY | {"size": 64}, "plain": XRAY}
    run = MadeScanRun(tmp_path, {"xray": scans(tiny.near)}, profiles)
    assert fit_section(run, {"xray": Profile(**profiles["clahe"])}, tmp_path)["profile"] == XRAY
    assert run.asked == ["pixels_plain"]
    only = MadeScanRun(tmp_path, {"xray": scans(tiny.near)}, {"clahe": profiles["clahe"]})
    assert fit_section(only, {"xray": Profile(**profiles["clahe"])}, tmp_path)["profile"]["operations"] == ["clahe"]


@pytest.mark.parametrize(("count", "is_fitted"), [(20, True), (8, True), (6, False)])
def test_few_scans_are_measured_against_each_other_and_very_few_not_at_all(tiny, tmp_path, count, is_fitted):
    run = MadeScanRun(tmp_path, {"xray": scans(tiny.near, count)}, {"plain": XRAY})
    entry = fit_section(run, {"xray": Profile(**XRAY)}, tmp_path)
    assert (entry is not None) == is_fitted
    if entry is not None:
        assert "each of them to the others" in entry["method"]


def test_left_out_distances_are_those_to_the_others():
    chance = np.random.default_rng(0)
    few = chance.normal(size=(7, 4))
    fitted = fit_near(few[:5], few[5:])
    assert fitted.threshold > fitted.distance(few).max() and fitted.accepted_on_validation == 1.0
    with pytest.raises(DataError, match="at least 6"):
        fit_near(few[:3], few[3:5])


def test_without_a_shipped_gate_there_is_no_section(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.inference.gate.gate.SHIPPED", tmp_path / "gone")
    assert fit_section(MadeScanRun(tmp_path, {}, {}), {"xray": Profile(**XRAY)}, tmp_path) is None


def test_the_profiles_of_every_systems_description():
    clahe = XRAY | {"operations": ["clahe"]}
    assert profiles_of({"profile": XRAY})["xray"] == Profile(**XRAY)
    assert profiles_of({"image": {"profile": XRAY}, "profile": None})["xray"] == Profile(**XRAY)
    told = {"profiles": {"a": XRAY, "b": clahe, "c": XRAY | {"modality": "ct"}}}
    assert profiles_of(told) == {"xray": Profile(**XRAY), "ct": Profile(**told["profiles"]["c"])}
    assert profiles_of({}) == {}


def test_a_bundle_is_amended_from_a_run(tiny, tmp_path, monkeypatch):
    from tiny_classifier import write_classifier

    bundle = write_classifier(tmp_path / "bundle")
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    run = MadeScanRun(tmp_path, {"xray": scans(tiny.near)}, {"plain": XRAY})
    monkeypatch.setattr(amendment, "CheckedRun", lambda folder: run)
    done = amendment.amend_from_run(bundle, "gate", tmp_path)
    assert (done.version, done.added) == (1, ["gate_xray.npz"])
    after = {path.name: path.read_bytes() for path in bundle.iterdir()}
    assert {name for name in after if after[name] != before.get(name)} == {"bundle.json", "gate_xray.npz"}
    assert json.loads(after["bundle.json"])["gate"]["widens"] is False
    with pytest.raises(UsageError, match="not made of a run"):
        amendment.amend_from_run(bundle, "audit", tmp_path)
    run.arrays.clear()
    with pytest.raises(DataError, match="too few scans"):
        amendment.amend_from_run(bundle, "gate", tmp_path)
