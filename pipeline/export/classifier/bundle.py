"""A finished classifier's run as a bundle: ONNX graph with what Grad-CAM needs, figures, model card and hashes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipeline.data.preprocessing import Profile
from pipeline.export.bundle_folder import SCHEMA_VERSION, without_folders
from pipeline.export.card.data_terms import data_terms
from pipeline.export.card.rendering import render_card
from pipeline.export.checked_run import CheckedRun
from pipeline.export.onnx.classifier import GRADIENTS, OUTPUTS, convert_classifier, with_activations
from pipeline.export.onnx.conversion import OPSET
from pipeline.export.onnx.graphs import graph_metadata
from pipeline.export.onnx.kernel_files import write_graphs
from pipeline.export.onnx.stored_weights import store_as_float16
from pipeline.export.parity import Graph, ParityRecord, random_inputs
from pipeline.export.segmenter.source import in_float32
from pipeline.export.template import PLAIN, Exporter, ExportOptions, save_keras
from pipeline.models.grad_cam import map_gradients

NETWORK_FILE = "classifier.onnx"
RANDOM_ROWS, TAPE_ROWS = 4, 3


class ClassifierExporter(Exporter):
    """The classifier of a run whose stages s01 and s08 are done."""

    SYSTEM = "classifier"
    source: CheckedRun

    def __init__(self, source: CheckedRun, options: ExportOptions = PLAIN) -> None:
        super().__init__(source, options)
        self.told: dict[str, Any] = source.load_json("classification")
        self.profile = Profile(**self.told["profile_settings"])
        self.network = in_float32(source.load_network("classifier"))

    @classmethod
    def read_run(cls, run_dir: Path) -> CheckedRun:
        return CheckedRun(run_dir)

    def document(self) -> dict[str, Any]:
        return {
            "task": self.source.config.get("system", self.SYSTEM),
            "class_names": list(self.told["class_names"]),
            "positive_class": self.told["positive_class"],
            "threshold": self.told["threshold"],
            "threshold_rule": self.told["threshold_rule"],
            "backbone": self.told["backbone"],
            "profile": self.profile.model_dump(mode="json"),
            "network": {"file": NETWORK_FILE, "opset": OPSET, "outputs": list(OUTPUTS), "taps": list(self.told["taps"])},
            "stored_precision": self.told["stored_precision"],
            "figures": self.source.load_json("classifier_metrics"),
            "training": without_folders(self.source.training()),
            "keras": None,
        }

    def write_graphs(self, folder: Path) -> None:
        metadata = graph_metadata(self.told["class_names"], self.told["positive_class"], self.SYSTEM, SCHEMA_VERSION)
        graph = convert_classifier(self.network, metadata)
        store_as_float16(graph, require=self.told["stored_precision"] == "float16")
        write_graphs({NETWORK_FILE: graph}, folder)

    def check_parity(self, folder: Path, document: Mapping[str, Any]) -> dict[str, Any]:
        """ONNX against Keras on the run's scans and on random pictures; the gradients against GradientTape's."""
        record, graph, twin = ParityRecord(), Graph(folder / NETWORK_FILE), with_activations(self.network)
        scans = self.source.stored_scans(self.profile)[..., None].astype(np.float32) / np.float32(255)
        drawn = random_inputs(self.network, RANDOM_ROWS, 0)["image"]
        for against, images in {"scans of the run": scans, "random pictures": drawn}.items():
            found, expected = graph.answer({"image": images}), twin(images, training=False)
            for output in OUTPUTS[:-1]:
                record.compare(f"{output}, {against}", found[output], np.asarray(expected[output]), f"Keras on {against}")
            answered = found[GRADIENTS][:TAPE_ROWS]
            tape = _tape_gradients(self.network, images[:TAPE_ROWS], answered.shape[1])
            spread = np.broadcast_to(answered[:, :, None, None, :], tape.shape)
            record.compare(f"{GRADIENTS}, {against}", spread, tape, f"GradientTape through the head on {against}")
        return record.document()

    def write_keras(self, folder: Path) -> dict[str, Any]:
        return save_keras(self.network, folder, "classifier")

    def card(self, document: Mapping[str, Any], files: Mapping[str, Mapping]) -> str:
        return render_card(
            self.SYSTEM, document=document, files=files, dataset=self.source.dataset, data_terms=data_terms(self.source),
            extra_text=self.options.card,
        )  # fmt: skip


def _tape_gradients(network: keras.Model, images: np.ndarray, classes: int) -> np.ndarray:
    """The gradient of every logit at every position of the feature maps, times their number: ``(B, K, h, w, C)``.

    One image at a time: the tape keeps every map of the backbone.
    """
    gradients = [
        np.concatenate([map_gradients(network, image[None], np.array([k])).gradients for k in range(classes)]) for image in images
    ]
    height, width = gradients[0].shape[1:3]
    return np.stack(gradients) * np.float32(height * width)
