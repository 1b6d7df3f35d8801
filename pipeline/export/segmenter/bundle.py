"""A multi-head UNet as a bundle: ONNX graph and metadata, gate, figures, model card and hashes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.preprocessing import Profile
from pipeline.export.bundle_folder import SCHEMA_VERSION, without_folders
from pipeline.export.card.data_terms import data_terms
from pipeline.export.card.rendering import render_card
from pipeline.export.gate.distance_section import known_to_gate
from pipeline.export.gate.gate_files import write_gate
from pipeline.export.onnx.conversion import OPSET
from pipeline.export.onnx.graphs import graph_metadata
from pipeline.export.onnx.kernel_files import write_graphs
from pipeline.export.onnx.segmenter import convert_segmenter, stored_precision_of, write_meta
from pipeline.export.onnx.stored_weights import store_as_float16
from pipeline.export.parity import Graph, ParityRecord
from pipeline.export.segmenter.source import SegmenterSource, read_segmenter_run
from pipeline.export.template import PLAIN, Exporter, ExportOptions, save_keras
from pipeline.inference.segmenter.bundle import OUTPUTS, Layout

NETWORK_FILE = "unet.onnx"
RANDOM_ROWS = 4


class SegmenterExporter(Exporter):
    """The network of a run (`read_segmenter_run`) or of a foreign checkpoint (`read_checkpoint`)."""

    SYSTEM = "radiography_unet"
    TAKES = Exporter.TAKES | {"opset", "layout"}
    NEEDS_KERAS = True
    source: SegmenterSource

    def __init__(self, source: SegmenterSource, options: ExportOptions = PLAIN) -> None:
        super().__init__(source, options)
        self.opset: int = options.opset or OPSET
        self.layout: Layout = "NCHW" if options.layout == "NCHW" else "NHWC"
        self.precision = stored_precision_of(source.network)

    @classmethod
    def read_run(cls, run_dir: Path) -> SegmenterSource:
        return read_segmenter_run(run_dir)

    def document(self) -> dict[str, Any]:
        source = self.source
        return {
            "class_names": source.class_names,
            "positive_class": source.positive_class,
            "image_size": source.profile.size,
            "profile": source.profile.model_dump(mode="json"),
            "threshold": source.threshold,
            "lung_pieces": source.lung_pieces,
            "mirror_average": source.mirror_average,
            "network": {"file": NETWORK_FILE, "layout": self.layout, "opset": self.opset},
            "figures": source.figures,
            "training": without_folders(source.training),
            **({"kept_epoch": source.kept_epoch} if source.kept_epoch is not None else {}),
            "stored_precision": self.precision,
            "keras": None,
        }

    def write_graphs(self, folder: Path) -> None:
        """The graph and its metadata."""
        metadata = graph_metadata(self.source.class_names, self.source.positive_class or "", self.SYSTEM, SCHEMA_VERSION)
        graph = convert_segmenter(self.source.network, metadata, self.opset, self.layout)
        store_as_float16(graph, require=self.precision == "float16")
        write_graphs({NETWORK_FILE: graph}, folder)
        write_meta(folder / NETWORK_FILE, self.source, self.opset, self.layout)

    def check_parity(self, folder: Path, document: Mapping[str, Any]) -> dict[str, Any]:
        """Compare ONNX with Keras on the source's images and on random ones, at its size."""
        record, graph = ParityRecord(), Graph(folder / NETWORK_FILE)
        size = self.source.profile.size
        real = np.repeat(self.source.images[..., None].astype(np.float32) / np.float32(255), 3, axis=-1)
        drawn = np.random.default_rng(0).random((RANDOM_ROWS, size, size, 3), np.float32)
        given = {self.source.images_are: real, "Keras on random input": drawn}
        for against, images in given.items():
            expected = {name: np.asarray(value) for name, value in self.source.network(images, training=False).items()}
            found = graph.answer({"image": images if self.layout == "NHWC" else images.transpose(0, 3, 1, 2)})
            if self.layout == "NCHW":
                found["segmentation"] = found["segmentation"].transpose(0, 2, 3, 1)
            for output in OUTPUTS:
                record.compare(f"unet.{output}, {len(images)} × {size}², {against}", found[output], expected[output], against)
        return record.document()

    def settle(self, folder: Path, document: dict[str, Any]) -> dict[str, Any]:
        """Add the run's X-ray gate, where it has one."""
        run = self.source.run
        gate = None
        if run is not None and run.has("gate"):
            with np.load(run.artifact("gate_statistics"), allow_pickle=False) as stored:
                statistics = dict(stored)
            profile = Profile(**run.load_json("gate")["profile"])
            gate = write_gate(folder, run.load_network("gate_backbone"), statistics, profile) | known_to_gate(run, profile)
        return document | {"gate": gate}

    def write_keras(self, folder: Path) -> dict[str, Any]:
        return save_keras(self.source.network, folder, "unet")

    def card(self, document: Mapping[str, Any], files: Mapping[str, Mapping]) -> str:
        run = self.source.run
        dataset, terms = (run.dataset, data_terms(run)) if run is not None else ({}, [])
        return render_card(
            "segmenter", document=document, files=files, dataset=dataset, data_terms=terms, extra_text=self.options.card
        )
