"""The gate on onnxruntime: the distance decides, the nine checks inform, strict lets them decide; broken files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.data.gate.xray_checks import CHECK_NAMES
from pipeline.data.preprocessing import Profile, preprocess
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, StaleArtifactError
from pipeline.inference.gate.xray_gate import EMBEDDING_DISTANCE, GateSection, XrayGate, load_gate


@pytest.fixture
def tiny(monkeypatch):
    import tiny_gate

    return tiny_gate


@pytest.fixture
def folder(tiny, tmp_path: Path) -> Path:
    return tiny.write_gate_bundle(tmp_path / "gate")


@pytest.fixture
def gate(folder) -> XrayGate:
    return load_gate(folder)


def test_the_distance_is_that_of_the_statistics(gate, tiny):
    gray = tiny.near(3)
    rows = preprocess(gray, Profile(modality="xray", size=32)).mean(axis=1) / 255
    expected = np.sqrt(np.mean(((rows - tiny.statistics().mean) / 0.05) ** 2))
    assert gate.distance(gray) == pytest.approx(expected, rel=1e-4)


def test_near_is_valid_and_far_is_refused_with_the_value(gate, tiny):
    verdict = gate.judge(tiny.near(1))
    assert (verdict.valid, verdict.failed, verdict.message) == (True, (), "")
    assert tuple(verdict.checks) == (*CHECK_NAMES, EMBEDDING_DISTANCE)
    verdict = gate.judge(tiny.far(1))
    assert not verdict.valid and verdict.failed == (EMBEDDING_DISTANCE,)
    assert "does not look like a chest X-ray" in verdict.message
    assert f"{verdict.checks[EMBEDDING_DISTANCE]:.2f}" in verdict.message and "2.00" in verdict.message


def test_the_nine_checks_inform_and_with_strict_decide(gate, tiny):
    small = cv2.resize(tiny.near(1), (200, 200), interpolation=cv2.INTER_AREA)
    informed, strict = gate.judge(small), gate.judge(small, strict=True)
    assert informed.valid and not strict.valid
    assert informed.failed == strict.failed == ("dimension",)
    assert informed.message == strict.message
    assert "Minimum dimension should be 256 pixels" in strict.message and "200" in strict.message
    assert gate.judge(tiny.near(1), strict=True).valid


def test_strict_never_accepts_what_the_distance_refuses(gate, tiny):
    assert not gate.judge(tiny.far(1), strict=True).valid


def test_colour_reaches_the_grayscale_check(gate, tiny):
    gray = tiny.near(1)
    rgb = np.dstack([gray, gray // 2, gray // 3])
    assert gate.judge(gray, rgb).failed == ("grayscale",)
    assert gate.judge(gray, np.dstack([gray] * 3)).failed == ()


def test_the_threshold_is_the_bundles(folder, tiny):
    entry = tiny.ENTRY | {"threshold": 1e-6}
    assert not XrayGate.load(folder, GateSection(**entry)).judge(tiny.near(1)).valid
    assert XrayGate.load(folder, GateSection(**tiny.ENTRY | {"threshold": 1e6})).judge(tiny.far(1)).valid


def _without(name):
    return lambda folder, tiny: (folder / name).unlink()


def _statistics(**changes):
    def change(folder, tiny):
        np.savez(folder / "gate.npz", **(tiny.statistics().arrays() | changes))

    return change


BROKEN = {
    "no network": (_without("gate_backbone.onnx"), MissingArtifactError, "gate_backbone.onnx"),
    "no statistics": (_without("gate.npz"), MissingArtifactError, "gate.npz"),
    "network is text": (lambda f, t: (f / "gate_backbone.onnx").write_text("x"), CorruptArtifactError, "refuses the graph"),
    "statistics are text": (lambda f, t: (f / "gate.npz").write_text("x"), CorruptArtifactError, "gate.npz"),
    "statistics are empty": (lambda f, t: (f / "gate.npz").write_bytes(b""), CorruptArtifactError, "gate.npz"),
    "pickled": (_statistics(mean=np.array([{}], object)), CorruptArtifactError, "gate.npz"),
    "not finite": (_statistics(mean=np.full(32, np.nan, np.float32)), CorruptArtifactError, "finite"),
    "two widths": (_statistics(mean=np.zeros(31, np.float32)), CorruptArtifactError, "do not fit"),
    "another width": (
        _statistics(mean=np.zeros(31, np.float32), whitening=np.eye(31, dtype=np.float32)), CorruptArtifactError, "needed are",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_files_that_do_not_fit_are_refused(case, folder, tiny):
    change, error, said = BROKEN[case]
    change(folder, tiny)
    with pytest.raises(error, match=said):
        XrayGate.load(folder, GateSection(**tiny.ENTRY))


@pytest.mark.parametrize(
    "entry", [{"threshold": -1.0}, {"threshold": float("nan")}, {"profile": {"size": 32}}, {"network": None}]
)
def test_an_entry_that_makes_no_sense_is_refused(entry, tmp_path, tiny):
    with pytest.raises(CorruptArtifactError, match="bundle.json: gate."):
        load_gate(tiny.write_gate_bundle(tmp_path / "nonsense", gate=tiny.ENTRY | entry))


def test_a_bundle_is_compared_with_its_hashes(folder, tiny):
    np.savez(folder / "gate.npz", **(tiny.statistics().arrays() | {"threshold": np.float64(99)}))
    with pytest.raises(CorruptArtifactError, match="was changed"):
        load_gate(folder)


def test_bundles_without_a_gate_with_a_newer_one_or_leading_outside(tiny, tmp_path: Path):
    with pytest.raises(MissingArtifactError, match="no X-ray gate"):
        load_gate(tiny.write_gate_bundle(tmp_path / "none", gate=None))
    # Whatever system a bundle is of: the section is read by whoever knows it.
    assert load_gate(tiny.write_gate_bundle(tmp_path / "other", system="respiratory_mtl")).threshold == 2
    with pytest.raises(StaleArtifactError, match="'gate' is of version 2, this program reads up to 1"):
        load_gate(tiny.write_gate_bundle(tmp_path / "newer", gate=tiny.ENTRY | {"version": 2}))
    with pytest.raises(CorruptArtifactError, match="no hash"):
        load_gate(tiny.write_gate_bundle(tmp_path / "unhashed", files={}))
    outside = {"../gate.npz": {"sha256": "0" * 64, "bytes": 1}, "gate_backbone.onnx": {"sha256": "0" * 64, "bytes": 1}}
    with pytest.raises(CorruptArtifactError, match="outside"):
        load_gate(tiny.write_gate_bundle(tmp_path / "out", gate=tiny.ENTRY | {"statistics": "../gate.npz"}, files=outside))


def test_the_gate_needs_no_tensorflow():
    code = "import sys, pipeline.inference.gate.xray_gate; sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
