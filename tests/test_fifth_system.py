"""A fifth system, invented here: one row in the registry and one file a layer; the rest of the house takes it as it is.

It tells dark scans from bright ones by their mean gray level, and goes through `run`, `export`, `classify`, `evaluate` and
`compare` on the command line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import pipeline.cli.app as application
from pipeline import systems
from stages import STAGES

TRAINING = '''
import csv, io, json
import numpy as np
import pandas as pd
from pipeline.engine.config import StageConfig
from pipeline.engine.contract import Artifact, Input, Stage
from pipeline.evaluation.tables.prediction_files import read_predictions
from pipeline.evaluation.tables.run_arms import RunArms

class Config(StageConfig):
    profile: str = "xray_32"
    slope: float = 20.0

def run(context):
    index = context.load_csv("scan_index", ("id", "label", "split", "patient_id"))
    means = context.load(f"pixels_{context.config.profile}").mean(axis=(1, 2)) / 255
    train = (index["split"] == "train").to_numpy()
    bright = (index["label"] == "BRIGHT").to_numpy()
    middle = float((means[train & bright].mean() + means[train & ~bright].mean()) / 2)
    shares = 1 / (1 + np.exp(-context.config.slope * (means - middle)))
    test = (index["split"] == "test").to_numpy()
    context.save_json("brightness_rule", {"middle": middle, "slope": context.config.slope, "profile": context.config.profile})
    context.save_csv("brightness_predictions", pd.DataFrame({
        "id": index["id"][test], "patient_id": index["patient_id"][test], "split": "test", "label": index["label"][test],
        "prob_BRIGHT": shares[test], "prob_DARK": 1 - shares[test],
    }))

STAGE = Stage(
    "s11_brightness", "bright or dark", Config,
    lambda config: (Input("scan_index"), Input("dataset"), Input(f"pixels_{config.profile}")),
    lambda config: (Artifact("brightness_rule", "rule.json"), Artifact("brightness_predictions", "predictions.csv")), run,
)

def arms(run):
    read = read_predictions([run.artifact("brightness_predictions")], positive="BRIGHT")
    (tables,) = read.arms.values()
    return RunArms({"": lambda: {"": tables}}, heading=f"{run.path}: one arm.")
'''
EXPORT = '''
import json
from pipeline.export.checked_run import CheckedRun
from pipeline.export.template import Exporter

class BrightnessExporter(Exporter):
    SYSTEM = "brightness"
    TAKES = frozenset({"card"})

    @classmethod
    def read_run(cls, run_dir):
        return CheckedRun(run_dir)

    def document(self):
        rule = self.source.load_json("brightness_rule")
        return {"class_names": ["BRIGHT", "DARK"], "positive_class": "BRIGHT", "threshold": 0.5, "rule": "rule.json",
                "profile": self.source.dataset["profiles"][rule["profile"]]}

    def write_graphs(self, folder):
        (folder / "rule.json").write_text(json.dumps(self.source.load_json("brightness_rule")))

    def check_parity(self, folder, document):
        return {"limit": 1e-4, "checks": {}}

    def card(self, document, files):
        return "# Bright or dark\\n"
'''
INFERENCE = '''
import json
import numpy as np
from pipeline.data.preprocessing import Profile
from pipeline.inference.answers import Answer
from pipeline.inference.bundle import Manifest, load_bundle
from pipeline.inference.opened_bundle import OpenedBundle, finding_of, network_image

class BrightnessManifest(Manifest):
    profile: Profile
    rule: str

    def needed_files(self):
        return [self.rule]

class Brightness(OpenedBundle):
    def _answer(self, given, methods):
        shares = self.probabilities(255 * network_image(given["image"].gray, self.manifest.profile)[..., 0])
        return Answer((finding_of(self.manifest, "xray", shares[0]),))

    def probabilities(self, pixels, notes=()):
        rule = json.loads((self.path / self.manifest.rule).read_text())
        bright = 1 / (1 + np.exp(-rule["slope"] * (pixels.mean(axis=(1, 2)) / 255 - rule["middle"])))
        return np.stack([bright, 1 - bright], axis=1)

def open_brightness(path, device="auto"):
    return Brightness(load_bundle(path, BrightnessManifest), device)
'''
CONFIG = """\
system: whatever I call it
seed: 3
s01:
  data: {layout: class_folders}
  positive_class: BRIGHT
  profiles:
    xray_32: {modality: xray, size: 32}
  sample_sheet: false
s11: {}
"""


@pytest.fixture
def house(tmp_path, monkeypatch):
    """The stages with a fifth system's, its row in the registry, its three files on the path; 60 scans of 60 patients."""
    for name, text in (("fifth_training", TRAINING), ("fifth_export", EXPORT), ("fifth_inference", INFERENCE)):
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    row = systems.System(
        name="brightness", command="classify", told_by="brightness_rule", exporter="fifth_export:BrightnessExporter",
        opener="fifth_inference:open_brightness", evaluator="pipeline.cli.evaluate.classifier:evaluate",
        arms="fifth_training:arms", default_bundle=None, example="classify --bundle {} FILE",
    )  # fmt: skip
    monkeypatch.setattr(systems, "SYSTEMS", (*systems.SYSTEMS, row))
    chance = np.random.default_rng(0)
    for number in range(60):
        label = ("DARK", "BRIGHT")[number % 2]
        folder = tmp_path / "scans" / label
        folder.mkdir(parents=True, exist_ok=True)
        # every tenth scan is of the other brightness, so that nothing is perfect
        level = (70, 180)[(number % 2) ^ (number % 10 == 3)]
        scan = np.clip(level + chance.normal(0, 25, (48, 48)), 0, 255)
        cv2.imwrite(str(folder / f"patient{number:02d}.png"), scan.astype(np.uint8))
    (tmp_path / "brightness.yaml").write_text(CONFIG)
    __import__("fifth_training")
    return (*STAGES, sys.modules["fifth_training"].STAGE)


def test_one_row_and_one_file_a_layer_are_enough(house, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    scans, runs, bundle = tmp_path / "scans", [tmp_path / "steep", tmp_path / "flat"], tmp_path / "bundle"

    def told(*words: object) -> str:
        code = application.main(house, [str(word) for word in words])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    for run, slope in zip(runs, (20.0, 2.0), strict=True):
        told("run", "-c", tmp_path / "brightness.yaml", "--data", scans, "--out", run, "--set", f"s11.slope={slope}", "-q")
    assert f"holds brightness: classify --run {runs[0]}" in told("status", "--run", runs[0])
    assert json.loads(told("status", "--run", runs[0], "--json"))[-1]["system"] == "brightness"

    exported = json.loads(told("export", "--run", runs[0], "--out", bundle, "--json"))
    assert exported["variant"] == "brightness"
    assert set(exported["files"]) == {"MODEL_CARD.md", "rule.json", "gate_xray.npz", "seen.npz"}
    rule = json.loads((bundle / "rule.json").read_text())

    scan = scans / "BRIGHT" / "patient01.png"
    for source in (("--bundle", bundle), ("--run", runs[0])):
        (answer,) = json.loads(told("classify", scan, *source, "--json"))["answers"]
        mean = cv2.resize(cv2.imread(str(scan), cv2.IMREAD_GRAYSCALE), (32, 32), interpolation=cv2.INTER_AREA).mean() / 255
        expected = 1 / (1 + np.exp(-rule["slope"] * (mean - rule["middle"])))
        assert answer["predicted"] == "BRIGHT" and answer["confidence"] == pytest.approx(expected, abs=1e-3)

    judged = json.loads(told("evaluate", "--bundle", bundle, "--data", scans, "--out", tmp_path / "judged", "--json"))
    assert judged["system"] == "brightness"
    assert judged["metrics"]["accuracy"]["value"] == pytest.approx(54 / 60)

    document = json.loads(told("compare", "--run", *runs, "--json"))
    assert document["arms"] == ["steep", "flat"]
    (metrics,) = document["modalities"].values()
    # the slope changes no ranking and no decision of two means that lie as far from the middle
    assert metrics["steep"]["auc"]["value"] == metrics["flat"]["auc"]["value"]
    # a scan of the other brightness costs the steep rule more
    assert metrics["steep"]["brier"]["value"] > metrics["flat"]["brier"]["value"]
    assert "no difference shown" in " ".join(entry["sentence"] for entry in document["verdicts"])


def test_another_systems_command_names_the_fitting_one(house, tmp_path, capsys):
    (tmp_path / "bundle").mkdir()
    document = {"schema_version": 1, "system": "brightness", "class_names": ["BRIGHT", "DARK"], "files": {}}
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(document))
    assert application.main(house, ["predict", "--bundle", str(tmp_path / "bundle"), "--xray", str(Path(__file__))]) == 2
    assert "Use classify" in capsys.readouterr().err
