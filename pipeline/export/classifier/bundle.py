"""A finished classifier's run as a bundle: ONNX graph with what Grad-CAM needs, figures, model card and hashes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipeline.data.preprocessing import Profile
from pipeline.engine.errors import CorruptArtifactError
from pipeline.engine.files import atomic_write_text
from pipeline.engine.rundir import RunDirectory
from pipeline.export.bundle_folder import (
    SCHEMA_VERSION,
    file_table,
    refuse_foreign_folder,
    staged_bundle,
    without_folders,
    write_description,
)
from pipeline.export.card.classifier import ClassifierCard, write_classifier_card
from pipeline.export.card.data_terms import data_terms
from pipeline.export.checked_run import CheckedRun, run_system
from pipeline.export.onnx.classifier import GRADIENTS, OUTPUTS, convert_classifier, with_activations
from pipeline.export.onnx.conversion import OPSET
from pipeline.export.onnx.graphs import graph_metadata
from pipeline.export.onnx.kernel_files import write_graphs
from pipeline.export.onnx.stored_weights import store_as_float16
from pipeline.export.parity import Graph, ParityRecord, random_inputs, spread_rows
from pipeline.export.segmenter.source import in_float32
from pipeline.models.grad_cam import map_gradients

SYSTEM = "classifier"
NETWORK_FILE = "classifier.onnx"
KERAS_FILES = {"weights": "keras/classifier.weights.h5", "architecture": "keras/classifier.json"}
REAL_ROWS, RANDOM_ROWS, TAPE_ROWS = 8, 4, 3


class ClassifierRun(CheckedRun):
    """The artifacts of a classifier's run, of whatever system s08 trained one for. Raises as CheckedRun, where s08 has not
    run too."""

    def __init__(self, run_dir: Path) -> None:
        self.system = run_system(RunDirectory(run_dir))
        super().__init__(run_dir)
        self.classifier: dict[str, Any] = self.run.load_json("classifier")

    @property
    def profile(self) -> Profile:
        """How the network's scans are preprocessed."""
        return Profile(**self.classifier["profile_settings"])

    def network(self) -> keras.Model:
        """The trained network, computing in float32."""
        return in_float32(self.load_network("classifier"))

    def stored_images(self, rows: int = REAL_ROWS) -> np.ndarray:
        """Preprocessed scans spread over the run's, uint8 ``(n, S, S)``. Raises CorruptArtifactError where none fits."""
        wanted = self.profile.model_dump(mode="json")
        for name, recorded in self.dataset["profiles"].items():
            if Profile(**recorded).model_dump(mode="json") == wanted and self.run.has(f"pixels_{name}"):
                pixels = np.load(self.checked_file(f"pixels_{name}"), mmap_mode="r")
                return np.array(pixels[spread_rows(len(pixels), rows)])
        raise CorruptArtifactError(
            f"no array of s01 has the classifier's profile {wanted}.", "Run s01 and s08 again with one configuration."
        )


def export_classifier(run_dir: Path, out: Path, keras: bool = False, card_text: str = "") -> Path:
    """Write the bundle of a run's classifier.

    Args:
        run_dir: a run folder whose stages s01 and s08 are done.
        out: the bundle's folder; an existing bundle there is replaced whole, at the end.
        keras: add the Keras weights and architecture.
        card_text: Markdown added to the model card's section on data.

    Raises:
        MissingArtifactError, StaleArtifactError: the run is not finished or not up to date.
        CorruptArtifactError: an artifact was changed, or ONNX and Keras differ by more than 1e-4.
        UsageError: ``out`` exists and is not a bundle, or a run of another system.
    """
    run_dir, out = Path(run_dir), Path(out)
    refuse_foreign_folder(out)
    source = ClassifierRun(run_dir)
    network = source.network()
    document = _document(source)
    with staged_bundle(out) as folder:
        _write_onnx(folder, source, network)
        document["parity"] = _check_parity(folder, source, network)
        document["keras"] = _write_keras(folder, network) if keras else None
        card = ClassifierCard(document, source.dataset, data_terms(source), card_text, file_table(folder))
        atomic_write_text(folder / "MODEL_CARD.md", write_classifier_card(card))
        write_description(folder, document)
    return out


def _document(source: ClassifierRun) -> dict[str, Any]:
    told = source.classifier
    return {
        "system": SYSTEM,
        "task": source.system,
        "class_names": list(told["class_names"]),
        "positive_class": told["positive_class"],
        "threshold": told["threshold"],
        "threshold_rule": told["threshold_rule"],
        "backbone": told["backbone"],
        "profile": source.profile.model_dump(mode="json"),
        "network": {"file": NETWORK_FILE, "opset": OPSET, "outputs": list(OUTPUTS), "taps": list(told["taps"])},
        "stored_precision": told["stored_precision"],
        "figures": source.run.load_json("classifier_metrics"),
        "training": without_folders({
            "seed": source.run.config.get("seed"),
            "config": source.run.config,
            "packages": source.packages(),
            "warnings": source.warnings(),
        }),
    }  # fmt: skip


def _write_onnx(folder: Path, source: ClassifierRun, network: keras.Model) -> None:
    told = source.classifier
    metadata = graph_metadata(told["class_names"], told["positive_class"] or "", SYSTEM, SCHEMA_VERSION)
    if not metadata["positive_class"]:
        del metadata["positive_class"]
    graph = convert_classifier(network, metadata)
    store_as_float16(graph, require=told["stored_precision"] == "float16")
    write_graphs({NETWORK_FILE: graph}, folder)


def _check_parity(folder: Path, source: ClassifierRun, network: keras.Model) -> dict:
    """ONNX against Keras on the run's scans and on random pictures; the gradients against GradientTape's."""
    record, graph, twin = ParityRecord(), Graph(folder / NETWORK_FILE), with_activations(network)
    scans = source.stored_images()[..., None].astype(np.float32) / np.float32(255)
    drawn = random_inputs(network, RANDOM_ROWS, 0)["image"]
    for against, images in {"scans of the run": scans, "random pictures": drawn}.items():
        found, expected = graph.answer({"image": images}), twin(images, training=False)
        for output in OUTPUTS[:-1]:
            record.compare(f"{output}, {against}", found[output], np.asarray(expected[output]), f"Keras on {against}")
        answered = found[GRADIENTS][:TAPE_ROWS]
        tape = _tape_gradients(network, images[:TAPE_ROWS], answered.shape[1])
        spread = np.broadcast_to(answered[:, :, None, None, :], tape.shape)
        record.compare(f"{GRADIENTS}, {against}", spread, tape, f"GradientTape through the head on {against}")
    return record.document()


def _tape_gradients(network: keras.Model, images: np.ndarray, classes: int) -> np.ndarray:
    """The gradient of every logit at every position of the feature maps, times their number: ``(B, K, h, w, C)``.

    One image at a time: the tape keeps every map of the backbone.
    """
    gradients = [
        np.concatenate([map_gradients(network, image[None], np.array([k])).gradients for k in range(classes)]) for image in images
    ]
    height, width = gradients[0].shape[1:3]
    return np.stack(gradients) * np.float32(height * width)


def _write_keras(folder: Path, network: keras.Model) -> dict[str, str]:
    from pipeline.models.stored_models import save_model

    (folder / "keras").mkdir()
    save_model(network, folder / KERAS_FILES["weights"], folder / KERAS_FILES["architecture"])
    return KERAS_FILES
