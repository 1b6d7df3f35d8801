"""s07 on generated folders of scans and masks: what it leaves behind agrees with the network that it stores."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.engine.arrays import open_array
from pipeline.engine.config import load_run_config
from pipeline.engine.errors import ConfigError
from pipeline.engine.rundir import RunDirectory
from pipeline.engine.runner import run_pipeline
from pipeline.evaluation.metrics.segmentation import dice
from stages.s01_preprocessing import STAGE as S01
from stages.s07_segmenter import STAGE as S07

if TYPE_CHECKING:
    import keras

STAGES = (S01, S07)
CONFIG = """\
system: radiography_unet
seed: 3
s01:
  data: {layout: class_masks}
  positive_class: null
  profiles: {plain: {modality: xray, size: 32}}
  lung_masks: [plain]
  sample_sheet: false
s07:
  profile: plain
  classes: [A, B, C]
  positive_class: C
  architecture: {channels: [4, 8], decoded_channels: 4}
  tensorboard: true
  fit:
    early_sizes: [{image_size: 16, epochs: 1}]
    epochs: 2
    batch_size: 8
    learning_rate: 3.0e-3
    keep_every: 2
"""
CURVES = ("training_curves", "loss", "cls_loss", "seg_loss", "accuracy", "dice", "val_auc")
PART_PLOTS = ("confusion_matrix", "roc_curves", "sample_overlays")


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Four classes of 20 scans, the fourth for nobody; a bright block on noise is the mask, its place the class."""
    root = tmp_path_factory.mktemp("folders")
    chance = np.random.default_rng(0)
    for label, name in enumerate("ABCD"):
        (root / name / "images").mkdir(parents=True)
        (root / name / "masks").mkdir()
        for number in range(20):
            gray, mask = chance.integers(0, 60, (40, 40), np.uint8), np.zeros((40, 40), np.uint8)
            mask[4 + 6 * label : 20 + 6 * label, 8:30] = 255
            gray[mask > 0] += 150
            cv2.imwrite(str(root / name / "images" / f"{number}.png"), gray)
            if number % 5:
                cv2.imwrite(str(root / name / "masks" / f"{number}.png"), mask)
    return root


@pytest.fixture(scope="module")
def run(scans, without_graphs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "c.yaml").write_text(CONFIG)
    with without_graphs():
        run_pipeline(load_run_config(folder / "c.yaml", STAGES), STAGES, folder / "run", scans)
    return RunDirectory(folder / "run")


@pytest.fixture(scope="module")
def predictions(run):
    return pd.read_csv(run.artifact("segmenter_predictions"))


def test_every_artifact_is_there(run):
    for name in (*CURVES, *PART_PLOTS, *(f"test_{plot}" for plot in PART_PLOTS)):
        assert cv2.imread(str(run.artifact(f"segmenter_{name}"))) is not None
    assert run.artifact("segmenter_test_metrics").parent.name == "test_results"
    kept = sorted(path.name for path in run.artifact("segmenter_checkpoints").iterdir())
    assert kept == ["best.weights.h5", "epoch_0002.weights.h5", "last.weights.h5"]
    assert any(path.name.startswith("events.out") for path in run.artifact("segmenter_tensorboard").iterdir())
    assert any("have no lung mask: they teach the diagnosis only" in warning for warning in run.warnings())


def test_the_description_is_what_export_reads(run):
    segmenter = run.load_json("segmenter")
    summary, kept = run.load_json("segmenter_training_summary"), segmenter.pop("kept_epoch")
    assert (kept["epoch"], kept["of"], kept["monitor"]) == (summary["best_epoch"], 3, "val_dice")
    assert kept["value"] == kept["dice"] == pytest.approx(summary["best"]["val_dice"])
    assert segmenter == {
        "class_names": ["A", "B", "C"], "image_size": 32, "positive_class": "C", "threshold": 0.5,
        "lung_pieces": "all", "mirror_average": False, "profile": {"modality": "xray", "size": 32, "operations": []},
    }  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """What the stored network says of the rows of predictions.csv, and what the table says."""

    index: pd.DataFrame
    images: np.ndarray
    network: keras.Model
    told: np.ndarray

    def answers(self, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
        """Lungs (n, S, S) and logits (n, K) of the images, or of their mirror images, whose lungs are turned back."""
        made = self.network(self.images[:, :, ::-1] if mirrored else self.images, training=False)
        lungs, logits = np.asarray(made["segmentation"])[..., 0], np.asarray(made["classification"], np.float64)
        return lungs[:, :, ::-1] if mirrored else lungs, logits


def judged(run: RunDirectory, predictions: pd.DataFrame) -> Judged:
    from pipeline.models.stored_models import load_model

    network = load_model(run.artifact("unet_weights"), run.artifact("unet_architecture"))
    index = pd.read_csv(run.artifact("scan_index")).set_index("id").loc[predictions["id"]]
    pixels = open_array(run.artifact("pixels_plain"))[index["row"].to_numpy()]
    images = np.repeat(pixels[..., None].astype(np.float32) / 255, 3, -1)
    return Judged(index, images, network, predictions[[f"probability_{name}" for name in "ABC"]].to_numpy())


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_predictions_are_those_of_the_stored_network(run, predictions):
    mine = judged(run, predictions)
    assert {layer.dtype_policy.name for layer in mine.network.layers} == {"float32"}
    index, rows = mine.index, mine.index["row"].to_numpy()
    probs, logits = mine.answers(mirrored=False)
    np.testing.assert_allclose(mine.told, softmax(logits), atol=1e-5)
    np.testing.assert_array_equal(predictions["label"], index["label"])
    lungs = probs > 0.5
    true = open_array(run.artifact("lung_mask_plain"))[rows] > 0
    shared, both = (lungs & true).sum(axis=(1, 2)), lungs.sum(axis=(1, 2)) + true.sum(axis=(1, 2))
    masked = predictions["has_mask"].to_numpy() == 1
    np.testing.assert_allclose(predictions["dice"][masked], (2 * shared / both)[masked], atol=2e-3)
    assert predictions["dice"][~masked].isna().all() and 0 < (~masked).sum() < len(masked)


def test_kernels_are_stored_as_float16_numbers(run):
    from pipeline.models.stored_models import load_model

    network = load_model(run.artifact("unet_weights"), run.artifact("unet_architecture"))
    for weight in network.get_weights():
        if weight.ndim >= 2:
            np.testing.assert_array_equal(weight, weight.astype(np.float16).astype(np.float32))


def test_validation_and_test_are_told_apart(run, predictions):
    splits = pd.read_csv(run.artifact("scan_index")).set_index("id")["split"]
    assert (splits.loc[predictions["id"]].to_numpy() == predictions["split"]).all()
    assert set(predictions["split"]) == {"valid", "test"} and "D" not in set(predictions["label"])
    for split, name in (("valid", "segmenter_metrics"), ("test", "segmenter_test_metrics")):
        mine = predictions[predictions["split"] == split]
        metrics = run.load_json(name)
        assert metrics["split"] == split and metrics["scans"] == len(mine)
        right = (mine["label"] == mine["predicted"]).mean()
        accuracy = metrics["classification"]["accuracy"]
        assert accuracy["value"] == pytest.approx(right) and accuracy["low"] <= right <= accuracy["high"]
        assert metrics["segmentation"]["dice"]["value"] == pytest.approx(mine["dice"].mean())
        report = run.load_json("segmenter_classification_report" if split == "valid" else "segmenter_test_classification_report")
        assert report["accuracy"] == pytest.approx(right) and report["A"]["support"] == (mine["label"] == "A").sum()


def test_the_epochs_and_the_summary(run):
    epochs, summary = pd.read_csv(run.artifact("segmenter_metrics_epochwise")), run.load_json("segmenter_training_summary")
    assert epochs["epoch"].tolist() == [1, 2, 3] and epochs["image_size"].tolist() == [16, 32, 32]
    best = summary["best_epoch"]
    assert best in (2, 3) and summary["best"]["val_dice"] == pytest.approx(epochs["val_dice"][1:].max())
    assert summary["scans"] == {"train": 42, "valid": 9, "test": 9}
    assert summary["parameters"]["trainable"] < summary["parameters"]["all"]


def test_the_default_network_is_the_documents():
    import math

    from pipeline.training.segmenter.initial.start import starting_network
    from stages.s07_segmenter import Config

    network = starting_network(Config().architecture, None, 4, 0)
    assert sum(math.prod(variable.shape) for variable in network.trainable_variables) == 6_643_510


def test_it_starts_from_stored_weights(run, scans, without_graphs, tmp_path):
    """Weights of a file are where the training starts: with a vanishing rate they are where it ends."""
    from pipeline.models.stored_models import load_model

    start = run.artifact("segmenter_checkpoints") / "last.weights.h5"
    (tmp_path / "c.yaml").write_text(CONFIG)
    overrides = ("s07.fit.learning_rate=1.0e-12", "s07.fit.early_sizes=[]", "s07.fit.epochs=1", "s07.tensorboard=false",
                 "s07.stored_precision=float32", "s07.mirror_average=true", f"s07.initial_weights={start}")  # fmt: skip
    config = load_run_config(tmp_path / "c.yaml", STAGES, overrides)
    with without_graphs():
        run_pipeline(config, STAGES, tmp_path / "run", scans)
    again = RunDirectory(tmp_path / "run")
    given = load_model(run.artifact("unet_weights"), run.artifact("unet_architecture"))
    given.load_weights(start)
    made = load_model(again.artifact("unet_weights"), again.artifact("unet_architecture"))
    for mine, theirs in zip(made.trainable_weights, given.trainable_weights, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), atol=1e-6)
    _answers_are_means_over_the_mirror_image(again)


def _answers_are_means_over_the_mirror_image(run: RunDirectory) -> None:
    predictions = pd.read_csv(run.artifact("segmenter_predictions"))
    mine = judged(run, predictions)
    (plain, plain_logits), (turned, turned_logits) = mine.answers(mirrored=False), mine.answers(mirrored=True)
    assert np.abs(plain - turned).max() > 1e-3 and run.load_json("segmenter")["mirror_average"] is True
    np.testing.assert_allclose(mine.told, softmax((plain_logits + turned_logits) / 2), atol=1e-5)
    true = open_array(run.artifact("lung_mask_plain"))[mine.index["row"].to_numpy()] > 0
    masked = predictions["has_mask"].to_numpy() == 1
    expected = dice(true[masked], (plain + turned)[masked] / 2 > 0.5)
    np.testing.assert_allclose(predictions["dice"][masked], expected, atol=2e-3)


@pytest.mark.parametrize(
    "override, message",
    [
        ("s07.profile=plane", "s01 has no profile 'plane'. Did you mean 'plain'"),
        ("s01.profiles.plain.size=40", "has 40 px, no multiple of 16"),
        ("s01.lung_masks=[]", "s01 writes none for 'plain'"),
        ("s07.positive_class=D", "not among s07.classes"),
        ("s07.initial_weights=net.bin", "neither a bundle.s folder nor .onnx, .pth or .weights.h5"),
        ("s07.fit.early_sizes=[{image_size: 20, epochs: 1}]", "multiple"),
        ("s07.gate={profile: plane}", "s01 has no profile 'plane'"),
    ],
)
def test_refused(override, message, tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG)
    with pytest.raises(ConfigError, match=message):
        load_run_config(tmp_path / "c.yaml", STAGES, (override,))


def test_the_real_configuration_is_valid():
    from pathlib import Path

    config = load_run_config(Path(__file__).parents[2] / "configs" / "radiography_unet.yaml", STAGES)
    assert json.loads(json.dumps(config.raw))["s07"]["fit"]["precision"] == "mixed_bfloat16"
