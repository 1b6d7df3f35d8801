"""A bundle is used only when every file of it is what bundle.json says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, StaleArtifactError, UsageError
from pipeline.inference.bundle import Section, open_bundle, read_section


def rewrite(bundle: Path, **changes) -> None:
    path = bundle / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_reads_what_predicting_needs(bundle):
    loaded = open_bundle(bundle).manifest
    assert [loaded.class_names[loaded.decide([1 - p, p])] for p in (0.5, 0.4999)] == ["COVID", "Non_COVID"]
    assert loaded.test_metrics("xray")["auc"] == {"value": 0.9, "low": 0.85, "high": 0.94}
    assert loaded.test_metrics("paired") == {}


def test_positive_class_is_found_by_name_not_by_place(bundle):
    rewrite(bundle, class_names=["COVID", "Non_COVID"])
    manifest = open_bundle(bundle).manifest
    assert [manifest.class_names[manifest.decide([p, 1 - p])] for p in (0.5, 0.4999)] == ["COVID", "Non_COVID"]


def test_graphs_are_listed_once_and_only_where_needed(bundle):
    manifest = open_bundle(bundle).manifest
    assert manifest.graphs(["xray"]) == ["backbone_small.onnx", "xray.onnx"]
    every = ["backbone_small.onnx", "backbone_large.onnx", "xray.onnx", "ct.onnx", "paired.onnx"]
    assert manifest.graphs(["xray", "ct"]) == every


@pytest.mark.parametrize("name", ["backbone_large.onnx", "paired.onnx", "MODEL_CARD.md"])
def test_one_changed_byte_is_named_with_both_hashes(bundle, name):
    path = bundle / name
    content = bytearray(path.read_bytes())
    expected = hashlib.sha256(content).hexdigest()
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptArtifactError) as caught:
        open_bundle(bundle)
    assert caught.value.exit_code == 5
    for text in (str(path), expected, hashlib.sha256(content).hexdigest()):
        assert text in caught.value.message
    assert caught.value.remedy


def test_missing_file_is_named(bundle):
    (bundle / "ct.onnx").unlink()
    with pytest.raises(MissingArtifactError, match="ct.onnx is missing"):
        open_bundle(bundle)


def test_no_bundle_and_a_run_given_as_bundle(tmp_path):
    with pytest.raises(MissingArtifactError, match="no such folder"):
        open_bundle(tmp_path / "nowhere")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(MissingArtifactError, match="--run"):
        open_bundle(tmp_path)


@pytest.mark.parametrize("version", [2, None, "1"])
def test_unknown_schema_version_is_refused(bundle, version):
    rewrite(bundle, schema_version=version)
    with pytest.raises(StaleArtifactError, match=f"schema_version is {version!r}"):
        open_bundle(bundle)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"positive_class": "Covid"}, "positive_class"),
        ({"threshold": 1.5}, "threshold"),
        ({"profiles": {}}, "profile"),
        ({"files": {}}, "gives no hash"),
        ({"modalities": {}}, "modalities"),
        ({"backbones": {"small": {"file": "../x.onnx", "size": 32, "feature_width": 4}}}, "not declared"),
    ],
)
def test_a_broken_description_is_refused_with_its_place(bundle, changes, named):
    rewrite(bundle, **changes)
    with pytest.raises(CorruptArtifactError, match=named):
        open_bundle(bundle)


def test_a_file_outside_the_bundle_is_refused(bundle):
    document = json.loads((bundle / "bundle.json").read_text())
    rewrite(bundle, files=document["files"] | {"../secret": document["files"]["ct.onnx"]})
    with pytest.raises(CorruptArtifactError, match="outside the bundle"):
        open_bundle(bundle)


def test_an_unknown_system_is_refused_naming_the_known_ones(bundle):
    rewrite(bundle, system="respiratory_mlt")
    with pytest.raises(UsageError, match=r"bundle.json: .*'respiratory_mlt'.*mean 'respiratory_mtl'.*radiography_unet") as caught:
        open_bundle(bundle)
    assert caught.value.exit_code == 2


def test_a_description_that_names_no_system_is_of_the_first(bundle):
    document = json.loads((bundle / "bundle.json").read_text())
    del document["system"]
    (bundle / "bundle.json").write_text(json.dumps(document))
    assert open_bundle(bundle).system == "respiratory_mtl"


class Calibration(Section):
    VERSION = 2
    temperature: float


@pytest.mark.parametrize("entry", [{"temperature": 1.5}, {"temperature": 1.5, "version": 2, "more": "said"}])
def test_a_section_is_read_by_whoever_knows_it(bundle, entry):
    rewrite(bundle, calibration=entry)
    found = open_bundle(bundle).bundle.section("calibration", Calibration)
    assert found.temperature == 1.5 and found.version == entry.get("version", 1)


def test_a_section_that_nobody_asks_for_stops_nothing(bundle):
    rewrite(bundle, calibration={"version": 3}, seen="whatever")
    opened = open_bundle(bundle).bundle
    assert opened.section("audit", Calibration) is None
    with pytest.raises(StaleArtifactError, match=r"bundle.json: its section 'calibration' is of version 3.*reads up to 2"):
        opened.section("calibration", Calibration)
    with pytest.raises(CorruptArtifactError, match="seen"):
        opened.section("seen", Calibration)


@pytest.mark.parametrize("entry", [{}, {"temperature": "warm"}, {"temperature": 1.0, "version": "one"}])
def test_a_section_that_does_not_fit_is_named(bundle, entry):
    with pytest.raises(CorruptArtifactError, match=r"bundle.json: calibration\."):
        read_section({"calibration": entry}, "calibration", Calibration)


def test_text_instead_of_json(bundle):
    (bundle / "bundle.json").write_text("{")
    with pytest.raises(CorruptArtifactError, match="cannot be read as JSON"):
        open_bundle(bundle)
