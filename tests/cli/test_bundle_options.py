"""What every command that asks a bundle shares: the device, the systems of a run, and systems that nobody foresaw."""

from __future__ import annotations

import json
import sys
import types
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import systems
from pipeline.data.preprocessing import Profile
from pipeline.inference import sessions
from pipeline.inference.answers import Answer
from pipeline.inference.bundle import Manifest, load_bundle
from pipeline.inference.opened_bundle import OpenedBundle, finding_of
from tests.pictures import shaded


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> dict[str, Path]:
    """A bundle for each command."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "inference")
    import tiny_bundle
    import tiny_classifier
    import tiny_gate
    import tiny_segmenter

    return {
        "predict": tiny_bundle.write_bundle(tmp_path / "mtl"),
        "segment": tiny_segmenter.write_segmenter(tmp_path / "unet"),
        "classify": tiny_classifier.write_classifier(tmp_path / "classifier"),
        "validate": tiny_gate.write_gate_bundle(tmp_path / "gate"),
    }


@pytest.fixture
def scan(tmp_path) -> Path:
    path = tmp_path / "scan.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(100, 200, (300, 280), dtype=np.uint8))
    return path


@pytest.fixture
def asked(tiny, scan, tmp_path):
    """name → the words of a command that answers."""
    out = ("--out", tmp_path / "out")
    words = {
        "predict": ("predict", "--xray", scan),
        "segment": ("segment", scan, *out),
        "classify": ("classify", scan),
        "validate": ("validate", scan),
    }
    return lambda name: (*words[name], "--bundle", tiny[name], "--quiet")


@pytest.mark.parametrize("name", ["predict", "segment", "classify"])
def test_device_and_threads_are_in_the_json_and_on_request_in_words(asked, command, name):
    code, out, err = command(*asked(name), "--json")
    document = json.loads(out)
    assert code == 0 and (document["device"], document["threads"]) == ("cpu", sessions.thread_count()), err
    assert "Computed on" not in command(*asked(name))[1]
    for device in ("cpu", "auto"):
        said = command(*asked(name), "--device", device)[1]
        assert f"Computed on cpu, with {sessions.thread_count()} threads" in said.splitlines()[-1]


@pytest.mark.parametrize("name", ["predict", "segment", "classify", "validate"])
def test_cuda_without_a_device_is_refused(asked, command, name, tmp_path, monkeypatch):
    monkeypatch.setattr(sessions, "DRIVERS", (tmp_path / "no driver",))
    code, out, err = command(*asked(name), "--device", "cuda")
    assert code == 2 and "no NVIDIA device" in err and "--device cpu" in err and out == ""


def test_the_device_of_a_gate_and_of_an_evaluation(asked, tiny, command, tmp_path):
    import tiny_gate

    cv2.imwrite(str(tmp_path / "near.png"), tiny_gate.near(1))
    words = ("validate", tmp_path / "near.png", "--bundle", tiny["validate"], "--device", "cpu")
    assert "Computed on cpu" in command(*words)[1]
    assert json.loads(command(*words, "--json")[1])[0]["device"] == "cpu"
    for number in range(8):
        label = ("NORMAL", "PNEUMONIA")[number % 2]
        (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "data" / label / f"{number}.png"), shaded(32, 32, 60 + 20 * number))
    words = ("evaluate", "--bundle", tiny["classify"], "--data", tmp_path / "data", "--out", tmp_path / "judged")
    code, out, err = command(*words, "--device", "cpu", "--json")
    assert code == 0 and json.loads(out)["device"] == "cpu", err


def test_a_device_is_not_for_the_other_runtimes(asked, command):
    code, _, err = command(*asked("segment"), "--runtime", "openvino", "--device", "cpu")
    assert code == 2 and "--device is for --runtime onnx" in err
    document = json.loads(command(*asked("segment"), "--runtime", "openvino", "--json")[1])
    assert document["device"] is None and document["answered"] == 1


@pytest.mark.parametrize("name", ["predict", "segment", "classify"])
def test_a_command_names_the_one_that_reads_the_bundle(asked, tiny, command, name):
    for other in {"predict", "segment", "classify"} - {name}:
        words = [tiny[other] if word == tiny[name] else word for word in asked(name)]
        code, _, err = command(*words)
        assert code == 2 and f"Use {other}: {other} --bundle {tiny[other]}" in err


def test_system_is_for_a_run(asked, command):
    code, _, err = command(*asked("classify"), "--system", "classifier")
    assert code == 2 and "--system is for a run" in err


class Brightness(OpenedBundle[Manifest]):
    """A fifth system, without a network: the brighter, the more probable."""

    profile = Profile(modality="xray", size=32)

    def _answer(self, given, methods):
        share = given["image"].gray.mean() / 255
        return Answer((finding_of(self.manifest, "xray", np.array([1 - share, share])),))

    def probabilities(self, pixels, notes=()):
        shares = pixels.mean(axis=(1, 2)) / 255
        return np.stack([1 - shares, shares], axis=1)


@pytest.fixture
def fifth(tmp_path, monkeypatch) -> Path:
    module = types.ModuleType("brightness")
    module.open_brightness = lambda path, device: Brightness(load_bundle(path, Manifest), device)
    monkeypatch.setitem(sys.modules, "brightness", module)
    row = replace(systems.SYSTEMS[2], name="brightness", told_by="brightness", opener="brightness:open_brightness")
    monkeypatch.setattr(systems, "SYSTEMS", (*systems.SYSTEMS, row))
    folder = tmp_path / "fifth"
    folder.mkdir()
    document = {"schema_version": 1, "system": "brightness", "class_names": ["DARK", "BRIGHT"], "files": {}}
    (folder / "bundle.json").write_text(json.dumps(document | {"positive_class": "BRIGHT", "threshold": 0.4}))
    return folder


def test_a_fifth_system_is_classified_and_evaluated(fifth, scan, command, tmp_path):
    code, out, err = command("classify", scan, "--bundle", fifth, "--json", "--out", tmp_path / "out")
    (answer,) = json.loads(out)["answers"]
    assert code == 0 and answer["predicted"] == "BRIGHT" and answer["confidence"] == pytest.approx(149.5 / 255, abs=0.01), err
    assert (tmp_path / "out" / "predictions.csv").read_text().startswith("image,predicted,confidence,prob_DARK,prob_BRIGHT,error")
    for words, said in (
        (["--gradcam", "--out", tmp_path / "out"], "A bundle of brightness draws no heat map"),
        (["--note", "fever"], "reads an image, not a note"),
        (["--features", tmp_path / "f.npy"], "gives no features"),
    ):
        code, _, err = command("classify", scan, "--bundle", fifth, *words)
        assert code == 2 and said in err
    code, _, err = command("predict", "--bundle", fifth, "--xray", scan)
    assert code == 2 and "'brightness'; predict reads" in err and "Use classify" in err
    for number in range(8):
        label = ("DARK", "BRIGHT")[number % 2]
        (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "data" / label / f"{number}.png"), shaded(32, 32, 60 + 120 * (number % 2)))
    words = ("evaluate", "--bundle", fifth, "--data", tmp_path / "data", "--out", tmp_path / "judged", "--json")
    code, out, err = command(*words)
    document = json.loads(out)
    assert code == 0 and document["system"] == "brightness" and document["metrics"]["accuracy"]["value"] == 1.0, err


def test_every_system_opens_and_is_evaluated_by_what_its_row_names():
    for system in systems.SYSTEMS:
        assert callable(system.load("opener")) and callable(system.load("evaluator"))
