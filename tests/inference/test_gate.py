"""Gates on onnxruntime: what a picture is taken for, what its header adds, the nine checks beside it; broken files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.data.gate.xray_checks import CHECK_NAMES
from pipeline.data.preprocessing import Profile, preprocess
from pipeline.data.reading.assumptions import ScanHeader
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, StaleArtifactError
from pipeline.inference.gate.gate import Gate, open_gate


@pytest.fixture
def tiny(monkeypatch):
    import tiny_gate

    return tiny_gate


@pytest.fixture
def folder(tiny, tmp_path: Path) -> Path:
    """A bundle with a section."""
    return tiny.write_gate_bundle(tmp_path / "gate")


@pytest.fixture
def gate(tiny, tmp_path: Path) -> Gate:
    """A gate that is a bundle of its own: near are X-rays, far are CT slices."""
    return open_gate(tiny.write_gate(tmp_path / "both"))


def test_the_distances_are_those_of_the_statistics(gate, folder, tiny):
    gray = tiny.near(3)
    rows = preprocess(gray, Profile(modality="xray", size=32)).mean(axis=1) / 255
    mean = tiny.statistics().mean
    to_xrays, to_slices = (np.sqrt(np.mean(((rows - of_kind) / 0.05) ** 2)) for of_kind in (mean, mean[::-1]))
    assert gate.judge(gray).distances == pytest.approx({"xray": to_xrays, "ct": to_slices}, rel=1e-4)
    assert open_gate(folder).judge(gray).distances == pytest.approx({"xray": to_xrays}, rel=1e-4)
    assert gate.judge(gray).thresholds == {"xray": 2.0, "ct": 2.0}


@pytest.mark.parametrize(("make", "kind"), [("near", "xray"), ("far", "ct"), ("neither", "neither")])
@pytest.mark.parametrize("side", [40, 300, 700])
def test_a_picture_is_the_kind_that_it_is_nearest_to_whatever_its_size(gate, tiny, make, kind, side):
    verdict = gate.judge(cv2.resize(getattr(tiny, make)(1), (side, side + 30), interpolation=cv2.INTER_AREA))
    assert verdict.kind == kind and verdict.checks == {} and verdict.failed == ()


def test_the_message_says_what_it_looks_like(gate, folder, tiny):
    assert gate.judge(tiny.near(1)).message == "looks like a chest X-ray"
    assert gate.judge(tiny.far(1)).message == "looks like a CT slice of the chest"
    verdict = gate.judge(tiny.neither(1))
    assert verdict.message.startswith("looks like neither a chest X-ray nor a CT slice of the chest (distance ")
    assert f"{verdict.distances['xray']:.2f} of at most 2.00" in verdict.message
    assert open_gate(folder).judge(tiny.far(1)).message.startswith("looks like something other than a chest X-ray (distance ")


def test_a_picture_that_its_header_contradicts_is_neither(gate, tiny):
    headers = {told: ScanHeader("dicom", modality=told) for told in (None, "xray", "ct")}
    assert {told: gate.judge(tiny.near(1), header=header).kind for told, header in headers.items()} == {
        None: "xray", "xray": "xray", "ct": "neither",
    }  # fmt: skip
    said = gate.judge(tiny.near(1), header=headers["ct"]).message
    assert said == "looks like a chest X-ray, its header speaks of a CT slice of the chest"
    # A header vouches for nothing.
    assert gate.judge(tiny.neither(1), header=headers["xray"]).kind == "neither"


def test_the_nine_checks_inform_where_they_are_asked_for(gate, tiny):
    small = cv2.resize(tiny.near(1), (200, 200), interpolation=cv2.INTER_AREA)
    verdict = gate.judge(small, with_checks=True)
    assert (verdict.kind, verdict.failed, tuple(verdict.checks)) == ("xray", ("dimension",), CHECK_NAMES)
    assert "Minimum dimension should be 256 pixels" in verdict.complaints and "200" in verdict.complaints
    gray = tiny.near(1)
    assert gate.judge(gray, np.dstack([gray, gray // 2, gray // 3]), with_checks=True).failed == ("grayscale",)
    assert gate.judge(gray, np.dstack([gray] * 3), with_checks=True).failed == ()


def test_the_threshold_is_the_bundles(tmp_path, tiny):
    for threshold, kind in ((1e-6, "neither"), (1e6, "xray")):
        bundle = tiny.write_gate_bundle(tmp_path / str(threshold), gate=tiny.ENTRY | {"threshold": threshold})
        assert open_gate(bundle).judge(tiny.near(1)).kind == kind


def test_a_section_may_rest_on_the_network_of_the_shipped_gate(tiny, tmp_path, monkeypatch):
    shipped = tiny.write_gate(tmp_path / "shipped")
    monkeypatch.setattr("pipeline.inference.gate.gate.SHIPPED", shipped)
    entry = tiny.shared_entry(shipped, tmp_path)
    (tmp_path / "bundle").mkdir()
    (tmp_path / "gate_xray.npz").rename(tmp_path / "bundle" / "gate_xray.npz")
    assert open_gate(tiny.write_gate_bundle(tmp_path / "bundle", gate=entry)).judge(tiny.near(1)).kind == "xray"
    with pytest.raises(CorruptArtifactError, match="fitted on another network"):
        open_gate(tiny.write_gate_bundle(tmp_path / "bundle", gate=entry | {"network_sha256": "0" * 64}))


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
    document = json.loads((folder / "bundle.json").read_text())
    document["files"] |= {path.name: tiny.stored(path.read_bytes()) for path in folder.iterdir() if path.name != "bundle.json"}
    (folder / "bundle.json").write_text(json.dumps(document))
    with pytest.raises(error, match=said):
        open_gate(folder)


@pytest.mark.parametrize(
    "entry", [{"threshold": -1.0}, {"threshold": float("nan")}, {"profile": {"size": 32}}, {"network": None}]
)
def test_an_entry_that_makes_no_sense_is_refused(entry, tmp_path, tiny):
    with pytest.raises(CorruptArtifactError, match="bundle.json: gate."):
        open_gate(tiny.write_gate_bundle(tmp_path / "nonsense", gate=tiny.ENTRY | entry))


def test_a_bundle_is_compared_with_its_hashes(folder, tiny):
    np.savez(folder / "gate.npz", **(tiny.statistics().arrays() | {"threshold": np.float64(99)}))
    with pytest.raises(CorruptArtifactError, match="was changed"):
        open_gate(folder)


def test_bundles_without_a_gate_with_a_newer_one_or_leading_outside(tiny, tmp_path: Path):
    with pytest.raises(MissingArtifactError, match="has no gate"):
        open_gate(tiny.write_gate_bundle(tmp_path / "none", gate=None))
    # Whatever system a bundle is of: the section is read by whoever knows it.
    assert open_gate(tiny.write_gate_bundle(tmp_path / "other", system="respiratory_mtl")).thresholds == {"xray": 2}
    with pytest.raises(StaleArtifactError, match="'gate' is of version 2, this program reads up to 1"):
        open_gate(tiny.write_gate_bundle(tmp_path / "newer", gate=tiny.ENTRY | {"version": 2}))
    with pytest.raises(CorruptArtifactError, match="no hash"):
        open_gate(tiny.write_gate_bundle(tmp_path / "unhashed", files={}))
    outside = {"../gate.npz": {"sha256": "0" * 64, "bytes": 1}, "gate_backbone.onnx": {"sha256": "0" * 64, "bytes": 1}}
    with pytest.raises(CorruptArtifactError, match="outside"):
        open_gate(tiny.write_gate_bundle(tmp_path / "out", gate=tiny.ENTRY | {"statistics": "../gate.npz"}, files=outside))


def test_the_gate_needs_no_tensorflow():
    code = "import sys, pipeline.inference.gate.door; sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
