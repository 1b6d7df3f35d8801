"""Three classes on X-rays alone, with names of commas and accents: the chain, its comparison, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import compare
from pipeline.engine.config import load_run_config
from pipeline.engine.errors import ConfigError, DataError
from pipeline.engine.runner import run_pipeline
from stages import STAGES

NAMES = ("Healthy", "TB, active", "Érythème")
PATIENTS = 12  # a class: six for each of two folds, of which a sixth validates
CONFIG = """\
system: respiratory_mtl
seed: 3
s01:
  data:
    manifest: list.csv
    selection: [{sets: {mine: xray}, labels: {"*": "*"}}]
  positive_class: null
  profiles: {x: {modality: xray, size: 32}}
  sample_sheet: false
s02:
  embedders:
    xray_task: &plain {backbone: EfficientNetLite0, profile: x, weights: none}
    xray_shared: *plain
  fit: &fit {epochs: 1, batch_size: 16}
s03: {fit: *fit}
s04: {fit: *fit}
s05: {fit: *fit}
s06: {seeds: 2, folds: 2, resamples: 100, permutations: 100}
"""


def write_scans(folder: Path, labels: dict[str, tuple[str, ...]]) -> None:
    """Noise on a field that is brighter by the class, PATIENTS of each, for each modality's labels; and their list."""
    draw = np.random.default_rng(0)
    rows = []
    for modality, names in labels.items():
        for place, name in enumerate(names):
            for number in range(PATIENTS):
                image = f"{modality}_{place}_{number}.png"
                pixels = draw.integers(0, 100, (32, 32)) + 40 * place
                cv2.imwrite(str(folder / image), pixels.astype(np.uint8))
                rows.append({"set": modality, "image": image, "label": name, "patient_id": f"{modality}{place}{number}"})
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def config_of(folder: Path, text: str):
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return load_run_config(path, STAGES)


@pytest.fixture(scope="module")
def three(tmp_path_factory, without_graphs) -> Path:
    folder = tmp_path_factory.mktemp("three")
    (folder / "scans").mkdir()
    write_scans(folder / "scans", {"mine": NAMES})
    labels = json.dumps({name: name for name in NAMES}, ensure_ascii=False)
    config = config_of(folder, CONFIG.replace('{"*": "*"}', labels))
    with without_graphs():
        run_pipeline(config, STAGES, folder / "run", folder / "scans")
    return folder / "run"


def test_every_probability_is_one_of_three_that_sum_to_one(three):
    for file, shape in {
        "s05_classifier_head/probabilities_xray.npy": (1, 36, 3),
        "s06_significance/seed_probabilities_xray.npy": (1, 2, 36, 3),
        "s06_significance/fold_probabilities_xray.npy": (1, 36, 3),
    }.items():
        found = np.load(three / file)
        assert found.shape == shape and found.dtype == np.float32
        np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    assert not list(three.glob("*/*paired*")) and not list(three.glob("*/pairs.csv"))


def test_what_is_said_is_of_the_datas_classes_and_of_no_other(three):
    document = json.loads((three / "s06_significance" / "comparison.json").read_text(encoding="utf-8"))
    assert document["arms"] == ["plain"] and list(document["modalities"]) == ["xray"]
    assert document["classes"]["xray"] == {"names": list(NAMES), "positive": None}
    assert {f"f1:{name}" for name in NAMES} | {"macro_auc", "accuracy"} <= set(document["modalities"]["xray"]["plain"])
    choice = json.loads((three / "s05_classifier_head" / "choice.json").read_text(encoding="utf-8"))
    assert choice["rule"] == "highest validation macro AUC; ties by Brier score"
    report = (three / "s06_significance" / "report.md").read_text(encoding="utf-8")
    assert "Classes: Healthy, TB, active, Érythème" in report and "sensitivity of TB, active" in report
    assert "modality still show" not in report and "Pairs are drawn" not in report
    told = [path for path in three.rglob("*") if path.suffix in (".json", ".csv", ".md") and not path.name.startswith("tail_")]
    assert len(told) > 20
    assert [path.name for path in told if "covid" in path.read_text(encoding="utf-8").lower()] == []


def test_why_there_is_one_variant_is_said(three):
    manifest = json.loads((three / "s04_shared_features" / "manifest.json").read_text())
    assert manifest["config"]["variants"] == ["plain"] and manifest["config"]["modalities"] == ["xray"]
    assert any("X-rays alone: nothing is hidden" in warning for warning in manifest["warnings"])


def test_compare_reads_it_back(three):
    stored = json.loads((three / "s06_significance" / "comparison.json").read_text(encoding="utf-8"))
    assert compare(three).document == stored
    anew = compare(three, modality="xray").document  # of the stored answers of all seeds
    assert anew["confusion"] == stored["confusion"] and anew["classes"] == stored["classes"]
    assert "2 trainings" in compare(three).text


def test_a_table_of_its_predictions_is_read_with_its_names(three):
    found = compare(predictions=three / "s05_classifier_head" / "predictions.csv").document
    assert found["classes"]["xray"]["names"] == list(NAMES)
    metrics = json.loads((three / "s05_classifier_head" / "metrics.json").read_text(encoding="utf-8"))["plain"]["xray"]
    assert found["modalities"]["xray"]["plain"]["macro_auc"]["value"] == pytest.approx(metrics["macro_auc"]["value"])


def test_what_hides_a_modality_is_refused_where_there_is_one(tmp_path):
    with pytest.raises(ConfigError, match="erased hides the modality, and the run has X-rays alone") as refused:
        config_of(tmp_path, CONFIG.replace("s04: {", "s04: {variants: [plain, erased], "))
    assert "mine.yaml" in refused.value.message and "s04.variants: [plain]" in refused.value.remedy


def test_half_of_a_modalitys_embedders_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="xray_task stands without xray_shared"):
        config_of(tmp_path, CONFIG.replace("    xray_shared: *plain\n", ""))


def test_other_classes_in_the_other_modality_are_refused_with_how_to_group_them(tmp_path):
    write_scans(tmp_path, {"mine": ("A", "B", "C", "D"), "slices": ("A", "B")})
    changed = {
        'sets: {mine: xray}, labels: {"*": "*"}': "sets: {mine: xray, slices: ct}, labels: {A: A, B: B, C: C, D: D}",
        "{x: {modality: xray, size: 32}}": "{x: {modality: xray, size: 32}, c: {modality: ct, size: 32}}",
        "    xray_shared: *plain\n": "    xray_shared: *plain\n    ct_task: &ct {backbone: EfficientNetLite0, profile: c, "
        "weights: none}\n    ct_shared: *ct\n",
    }
    text = CONFIG
    for written, wanted in changed.items():
        assert written in text
        text = text.replace(written, wanted)
    with pytest.raises(DataError, match="ct: there are scans of A, B, and none of C, D") as refused:
        run_pipeline(config_of(tmp_path, text), STAGES, tmp_path.parent / f"{tmp_path.name}_run", tmp_path, last="s02")
    assert "s01.data.labels" in refused.value.remedy
