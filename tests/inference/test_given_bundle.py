"""`pipeline.open_bundle`: what it opens, what it refuses, and that it answers as the commands do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.engine.errors import (
    CorruptArtifactError,
    DataError,
    MissingArtifactError,
    PipelineError,
    StaleArtifactError,
    UsageError,
)
from pipeline.inference.given_bundle import open_bundle, shipped_bundles

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The tiny gate in the shipped one's place."""
    import tiny_gate

    monkeypatch.setattr("pipeline.inference.gate.gate.SHIPPED", tiny_gate.write_gate(tmp_path / "gate"))
    return tiny_gate


@pytest.fixture
def classifier(tmp_path):
    from tiny_classifier import write_classifier

    return write_classifier(tmp_path / "classifier")


def test_text_and_paths_open_a_folder_behind_the_gate(classifier, tiny):
    for path in (str(classifier), classifier, f"{classifier}/"):
        opened = open_bundle(path)
        answer = opened.answer(tiny.near(1))
        assert answer.findings[0].gate == "xray" and answer.predicted
        with pytest.raises(DataError, match=r"looks like.*gate=False"):
            opened.answer(tiny.far(1))


def test_without_the_gate_everything_is_answered_and_marked(classifier, tiny):
    finding = open_bundle(classifier, gate=False).answer(tiny.far(1)).findings[0]
    assert finding.gate == "not asked" and finding.predicted and not finding.refused


def test_a_strict_gate_refuses_what_fails_the_simple_checks_and_sees_colour(classifier, tiny, tmp_path):
    small = cv2.resize(tiny.near(1), (200, 200), interpolation=cv2.INTER_AREA)
    assert open_bundle(classifier).answer(small).predicted
    with pytest.raises(DataError, match="Minimum dimension"):
        open_bundle(classifier, strict=True).answer(small)
    coloured = np.stack([tiny.near(1)] * 3, axis=-1)
    coloured[..., 2] //= 4
    cv2.imwrite(str(tmp_path / "coloured.png"), coloured[..., ::-1])
    for scan in (coloured, tmp_path / "coloured.png"):
        with pytest.raises(DataError, match="[Cc]olou?r"):
            open_bundle(classifier, strict=True).answer(scan)


def test_shipped_bundles_open_by_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert set(shipped_bundles()) == {path.name for path in (ROOT / "pretrained").iterdir()} - {"gate"}
    for name in ("pneumonia_binary", "pretrained/pneumonia_binary", Path("pneumonia_binary")):
        assert open_bundle(name, gate=False).path == ROOT / "pretrained" / "pneumonia_binary"


def test_what_lies_there_goes_before_a_shipped_name(tmp_path, monkeypatch, classifier):
    monkeypatch.chdir(tmp_path)
    classifier.rename(tmp_path / "pneumonia_binary")
    assert open_bundle("pneumonia_binary", gate=False).path == Path("pneumonia_binary")
    (tmp_path / "vision_text").mkdir()
    with pytest.raises(MissingArtifactError, match="vision_text: holds no bundle.json"):
        open_bundle("vision_text")


def run_folder(place: Path) -> Path:
    place.mkdir()
    (place / "run.json").write_text("{}")
    return place


def test_what_is_no_bundle_is_refused_with_what_it_lacks(tmp_path, classifier):
    (tmp_path / "empty").mkdir()
    (tmp_path / "weights.h5").write_bytes(b"x")
    several = tmp_path / "several"
    shutil.copytree(classifier, several / "one")
    shutil.copytree(classifier, several / "two")
    run = run_folder(tmp_path / "run")
    refused = {
        "pneumonia_binery": (MissingArtifactError, "no such folder. Did you mean 'pneumonia_binary'.*With the program come"),
        "some/pneumonia_binary": (MissingArtifactError, "no such folder"),
        run: (MissingArtifactError, f"is a run, not a bundle.*export --run {run} --out DIR"),
        tmp_path / "empty": (MissingArtifactError, "holds no bundle.json"),
        tmp_path / "weights.h5": (MissingArtifactError, "is a file, and a bundle a folder"),
        classifier / "bundle.json": (MissingArtifactError, f"is a file.*Give {classifier}"),
        several: (MissingArtifactError, "holds no bundle.json. Give one of the bundles in it: one, two"),
        ROOT / "pretrained" / "gate": (UsageError, "is a gate.*answers nothing.*validate --bundle"),
        "https://example.org/bundle": (UsageError, "nothing is fetched"),
        "": (UsageError, "An empty path leads to no bundle"),
        b"bundle": (UsageError, "bytes is no path to a bundle"),
        7: (UsageError, "int is no path"),
    }
    for path, (kind, said) in refused.items():
        with pytest.raises(kind, match=said) as error:
            open_bundle(path)
        assert isinstance(error.value, PipelineError) and error.value.remedy


def test_a_bundle_that_is_not_whole_is_refused(classifier, tiny):
    description = json.loads((classifier / "bundle.json").read_text())
    (classifier / "classifier.onnx").rename(classifier / "moved.onnx")
    with pytest.raises(MissingArtifactError, match=r"classifier\.onnx is missing from the bundle"):
        open_bundle(classifier)
    (classifier / "classifier.onnx").write_bytes(b"another")
    with pytest.raises(CorruptArtifactError, match="was changed"):
        open_bundle(classifier)
    (classifier / "bundle.json").write_text(json.dumps(description | {"schema_version": 9}))
    with pytest.raises(StaleArtifactError, match="schema_version is 9"):
        open_bundle(classifier)
    (classifier / "bundle.json").write_text("[")
    with pytest.raises(CorruptArtifactError, match="cannot be read as JSON"):
        open_bundle(classifier)


@pytest.mark.parametrize("device", ["gpu", "cuda:0", None, 3])
def test_an_unknown_device_is_refused(classifier, tiny, device):
    with pytest.raises(UsageError, match="There is no device .*auto, cpu, cuda"):
        open_bundle(classifier, device=device)
