"""Import the original's folder of whole Keras models as a bundle of this project's format.

What is taken over and what is mended:

- Features are what enters each model's last Dense, and all of the network before it is kept. (The original's own
  inference drops the X-ray extractor's first normalisation.)
- Its models saw pixel values 0 to 255 in three equal channels, with no scaling of the backbone's own: so they do here.
- CLAHE is applied, as in its training; its inference computes it and throws it away.
- Its training took the classes in alphabetical order, so output 1 means Non_COVID; its inference reads output 1 as
  COVID. Here the probability of COVID is 1 - output (``positive_index`` 0). Models trained the other way round are
  imported with ``positive_index`` 1.
- It has no head for the pair: ``paired`` is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from pipeline.data.preprocessing import Operation, Profile
from pipeline.data.scans import MODALITIES
from pipeline.engine.errors import UsageError
from pipeline.engine.files import sha256_file
from pipeline.export.bundle_folder import SCHEMA_VERSION
from pipeline.export.card.rendering import render_card
from pipeline.export.multitask.finished_run import ROLES, SYSTEM
from pipeline.export.multitask.stored_backbones import StoredBackbone, modality_entries
from pipeline.export.onnx.graphs import convert_network, graph_metadata
from pipeline.export.onnx.kernel_files import write_graphs
from pipeline.export.onnx.stored_weights import store_as_float16
from pipeline.export.parity import Graph, ParityRecord, compare_with_keras
from pipeline.export.template import PLAIN, Exporter, ExportOptions
from pipeline.models.backbones.construction import InputScaling
from pipeline.models.composed_networks import BACKBONE_OUTPUTS, JOINT_FEATURES, probability_output
from pipeline.models.original_models import check_shapes, ends_in_sigmoid, features_before_logit, find_models, load_models

CLASS_NAMES = ("Non_COVID", "COVID")
PROBABILITY = probability_output(CLASS_NAMES[1])
OPERATIONS: dict[str, tuple[Operation, ...]] = {"xray": ("clahe",), "ct": ("clahe", "opening")}


class OriginalExporter(Exporter):
    """Nine whole Keras models in a folder (see `original.models`).

    The option ``positive_index`` is the class number that COVID had in training: 0 (alphabetical order, the default) or 1.

    Raises:
        UsageError: no such folder, or another index.
        MissingArtifactError, DataError: models are missing or do not fit each other (all are named).
        CorruptArtifactError: a file cannot be loaded safely.
    """

    SYSTEM = SYSTEM
    TAKES = frozenset({"positive_index"})

    def __init__(self, source: Path, options: ExportOptions = PLAIN) -> None:
        super().__init__(Path(source), options)
        self.positive_index = options.positive_index or 0
        if self.positive_index not in (0, 1):
            raise UsageError(f"positive index {self.positive_index}: the classes are 0 and 1.", "0 is alphabetical order.")
        self.files = find_models(self.source)
        models = load_models(self.files)
        check_shapes(models, self.files)
        names = [f"{modality}_{role}" for modality in MODALITIES for role in ROLES]
        self.profiles = {name: _profile(name, models[name]) for name in names}
        self.backbones = {name: _backbone(name, models[name], self.files[name], self.profiles[name]) for name in names}
        networks = {m: _compose(m, models, self.files, self.backbones, self.positive_index) for m in MODALITIES}
        self.graphs = {f"backbone_{key}": (backbone.network, BACKBONE_OUTPUTS) for key, backbone in self.backbones.items()}
        self.graphs |= {name: (network, (PROBABILITY, JOINT_FEATURES)) for name, network in networks.items()}

    @classmethod
    def read_run(cls, run_dir: Path) -> Path:
        raise UsageError(f"{run_dir}: a run is not the original's folder of models.", "Give it as --run.")

    def write_graphs(self, folder: Path) -> None:
        metadata = graph_metadata(CLASS_NAMES, CLASS_NAMES[1], SYSTEM, SCHEMA_VERSION)
        graphs = {f"{name}.onnx": convert_network(*made, metadata) for name, made in self.graphs.items()}
        for graph in graphs.values():
            store_as_float16(graph, require=False)
        write_graphs(graphs, folder)

    def check_parity(self, folder: Path, document: Mapping[str, Any]) -> dict[str, Any]:
        record = ParityRecord()
        for name, (network, outputs) in self.graphs.items():
            compare_with_keras(record, name, Graph(folder / f"{name}.onnx"), network, outputs)
        return record.document()

    def card(self, document: Mapping[str, Any], files: Mapping[str, Mapping]) -> str:
        return render_card("original", document=document, files=files)

    def document(self) -> dict[str, Any]:
        return {
            "variant": "original",
            "class_names": list(CLASS_NAMES),
            "positive_class": CLASS_NAMES[1],
            "threshold": 0.5,
            "probability_output": PROBABILITY,
            "profiles": {profile.key: profile.model_dump(mode="json") for profile in self.profiles.values()},
            "backbones": {key: backbone.entry() for key, backbone in self.backbones.items()},
            "modalities": modality_entries({key: key for key in self.backbones}, {k: p.key for k, p in self.profiles.items()}),
            "paired": None,
            "figures": {},
            "training": {
                "seed": None, "config": {}, "packages": {}, "warnings": [],
                "imported_from": {path.name: sha256_file(path) for path in self.files.values()},
                "positive_index": self.positive_index,
            },
            "stored_precision": "float32",
        }  # fmt: skip


def _profile(name: str, model: keras.Model) -> Profile:
    modality = name.partition("_")[0]
    return Profile(modality=modality, size=int(model.input_shape[1]), operations=OPERATIONS[modality])


def _backbone(name: str, model: keras.Model, file: Path, profile: Profile) -> StoredBackbone:
    image = keras.Input((profile.size, profile.size, 1), name="image")
    scaled = InputScaling([255.0] * 3, [0.0] * 3, name="input_scaling")(image)
    features = layers.Identity(name="features")(features_before_logit(model, file)(scaled))
    network = keras.Model(image, features, name=f"{name}_embedder")
    return StoredBackbone(name, file.stem, file.name, network, [profile.key])


def _compose(
    modality: str, models: Mapping[str, keras.Model], files: Mapping[str, Path], backbones: Mapping[str, StoredBackbone],
    positive_index: int,
) -> keras.Model:  # fmt: skip
    """Embeddings to the probability of COVID, with the doors of every bundle's network."""
    inputs = [keras.Input(backbones[f"{modality}_{role}"].network.output_shape[1:], name=f"{role}_features") for role in ROLES]
    task = features_before_logit(models[f"task_{modality}"], files[f"task_{modality}"])(inputs[0])
    shared = features_before_logit(models["shared"], files["shared"])(inputs[1])
    joint = layers.Concatenate(name="join")([task, shared])
    head = models[f"head_{modality}"]
    output = head(joint) if ends_in_sigmoid(head) else ops.sigmoid(head(joint))
    probability = output if positive_index == 1 else ops.subtract(1.0, output)
    return keras.Model(inputs, {PROBABILITY: probability, JOINT_FEATURES: joint}, name=modality)
