"""A vision-and-text run small enough for a test: noise images whose notes, not pixels, tell the class."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fever", "cough", "bilateral", "opacity", "lobe", "right", "after",
         "days", "old", "man", "with", "covid", "strep", "a", "of"]  # fmt: skip
SIDE = 48
CONFIG = """\
system: vision_text
description: a tiny run
seed: 5
s01:
  data:
    manifest: manifest.csv
    selection:
      - {sets: {one: xray}, labels: {COVID: COVID, OTHER: Other}, attribute_columns: [notes]}
  profiles: {xray_48: {modality: xray, size: 48}}
  sample_sheet: false
s09:
  profile: xray_48
  weights: none
  encoder: {source: ENCODER, finetune_layers: 1, finetune_epochs: 1, finetune_learning_rate: 0.01}
  fit: {width: 16, heads: 2, epochs: 3, patience: 3, batch_size: 16, learning_rate: 0.01}
  folds: 2
  repeats: 2
  resamples: 100
  permutations: 100
s10: {resamples: 100}
"""


def write_tiny_scans(root: Path) -> None:
    """40 patients of two classes with one noise image each; 4 COVID rows have no note."""
    draw, rows = np.random.default_rng(2), []
    (root / "images").mkdir(parents=True)
    for number in range(40):
        is_covid = number % 2 == 0
        name = f"images/{number:02d}.png"
        cv2.imwrite(str(root / name), draw.integers(0, 256, (SIDE, SIDE), np.uint8))
        finding = "bilateral opacity COVID-19" if is_covid else "opacity of a lobe, strep"
        note = f"{'man' if number % 3 else 'old man'} with fever and cough; {finding} after {number} days"
        rows.append(("one", name, "COVID" if is_covid else "OTHER", f"p{number}", "" if number in (0, 10, 20, 30) else note))
    frame = pd.DataFrame(rows, columns=["set", "image", "label", "patient_id", "notes"])
    frame.to_csv(root / "manifest.csv", index=False)


def write_tiny_encoder(folder: Path) -> Path:
    """A random BERT of one layer in keras-hub's own layout, with a vocabulary of twenty words."""
    import keras
    from keras_hub.models import BertBackbone

    keras.utils.set_random_seed(1)
    BertBackbone(
        vocabulary_size=400, num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=256, max_sequence_length=16
    ).save_to_preset(str(folder))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return folder


def run_tiny_fusion(folder: Path) -> Path:
    """The run's folder, s01, s09 and s10 done."""
    from pipeline.engine.config import load_run_config
    from pipeline.engine.runner import run_pipeline
    from stages.s01_preprocessing import STAGE as S01
    from stages.s09_vision_text import STAGE as S09
    from stages.s10_audit import STAGE as S10

    write_tiny_scans(folder / "scans")
    encoder = write_tiny_encoder(folder / "bert")
    config = folder / "tiny.yaml"
    config.write_text(CONFIG.replace("ENCODER", encoder.as_posix()), encoding="utf-8")
    run_pipeline(load_run_config(config, (S01, S09, S10)), (S01, S09, S10), folder / "run", folder / "scans")
    return folder / "run"
