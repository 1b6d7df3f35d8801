"""A multi-head UNet as a bundle: ONNX graph and metadata, gate, figures, model card and hashes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.engine.files import atomic_write_text
from pipeline.export.bundle_folder import (
    SCHEMA_VERSION,
    file_table,
    refuse_foreign_folder,
    staged_bundle,
    without_folders,
    write_description,
)
from pipeline.export.card.data_terms import data_terms
from pipeline.export.card.segmenter import SegmenterCard, write_segmenter_card
from pipeline.export.onnx.conversion import OPSET
from pipeline.export.onnx.graphs import graph_metadata
from pipeline.export.onnx.kernel_files import write_graphs
from pipeline.export.onnx.segmenter import convert_segmenter, stored_precision_of, write_meta
from pipeline.export.onnx.stored_weights import store_as_float16
from pipeline.export.parity import Graph, ParityRecord
from pipeline.export.segmenter.source import SYSTEM, SegmenterSource
from pipeline.inference.segmenter.bundle import OUTPUTS, Layout

NETWORK_FILE = "unet.onnx"
KERAS_FILES = {"weights": "keras/unet.weights.h5", "architecture": "keras/unet.json"}
RANDOM_ROWS = 4


def write_segmenter_bundle(
    source: SegmenterSource, out: Path, keras: bool = False, opset: int = OPSET, layout: Layout = "NHWC", card_text: str = ""
) -> Path:
    """Write the bundle of a network.

    Args:
        source: of ``read_segmenter_run`` or ``read_checkpoint``.
        out: the bundle's folder; an existing bundle there is replaced whole, at the end.
        keras: add the Keras weights and architecture.
        opset: ONNX's; 17 unless something old must read it.
        layout: order of the axes at the graph's doors.
        card_text: Markdown added to the model card's section on data.

    Raises:
        UsageError: ``out`` exists and is not a bundle, or an opset that cannot be written.
        CorruptArtifactError: ONNX and Keras differ by more than 1e-4.
    """
    out = Path(out)
    refuse_foreign_folder(out)
    with staged_bundle(out) as folder:
        document = _document(source, opset, layout)
        document["stored_precision"] = _write_onnx(folder, source, opset, layout)
        document["parity"] = _check_parity(folder, source, layout)
        document["gate"] = _write_gate(folder, source)
        document["keras"] = _write_keras(folder, source) if keras else None
        terms = data_terms(source.run) if source.run is not None else []
        card = SegmenterCard(document, source.run.dataset if source.run else {}, terms, card_text, file_table(folder))
        atomic_write_text(folder / "MODEL_CARD.md", write_segmenter_card(card))
        write_description(folder, document)
    return out


def _document(source: SegmenterSource, opset: int, layout: Layout) -> dict[str, Any]:
    return {
        "system": SYSTEM,
        "class_names": source.class_names,
        "positive_class": source.positive_class,
        "image_size": source.profile.size,
        "profile": source.profile.model_dump(mode="json"),
        "threshold": source.threshold,
        "lung_pieces": source.lung_pieces,
        "mirror_average": source.mirror_average,
        "network": {"file": NETWORK_FILE, "layout": layout, "opset": opset},
        "figures": source.figures,
        "training": without_folders(source.training),
    }


def _write_onnx(folder: Path, source: SegmenterSource, opset: int, layout: Layout) -> str:
    """Write graph and metadata; returns the precision that the kernels are stored in."""
    metadata = graph_metadata(source.class_names, source.positive_class or "", SYSTEM, SCHEMA_VERSION)
    graph = convert_segmenter(source.network, metadata, opset, layout)
    precision = stored_precision_of(source.network)
    store_as_float16(graph, require=precision == "float16")
    write_graphs({NETWORK_FILE: graph}, folder)
    write_meta(folder / NETWORK_FILE, source, opset, layout)
    return precision


def _check_parity(folder: Path, source: SegmenterSource, layout: Layout) -> dict:
    """Compare ONNX with Keras on the source's images and on random ones, at its size."""
    record, graph = ParityRecord(), Graph(folder / NETWORK_FILE)
    size = source.profile.size
    real = np.repeat(source.images[..., None].astype(np.float32) / np.float32(255), 3, axis=-1)
    drawn = np.random.default_rng(0).random((RANDOM_ROWS, size, size, 3), np.float32)
    given = {source.images_are: real, "Keras on random input": drawn}
    for against, images in given.items():
        expected = {name: np.asarray(value) for name, value in source.network(images, training=False).items()}
        found = graph.answer({"image": images if layout == "NHWC" else images.transpose(0, 3, 1, 2)})
        if layout == "NCHW":
            found["segmentation"] = found["segmentation"].transpose(0, 2, 3, 1)
        for output in OUTPUTS:
            record.compare(f"unet.{output}, {len(images)} × {size}², {against}", found[output], expected[output], against)
    return record.document()


def _write_gate(folder: Path, source: SegmenterSource) -> dict | None:
    """The run's X-ray gate, where it has one."""
    run = source.run
    if run is None or not run.run.has("gate"):
        return None
    from pipeline.data.preprocessing import Profile
    from pipeline.export.segmenter.gate_files import write_gate

    with np.load(run.checked_file("gate_statistics"), allow_pickle=False) as stored:
        statistics = dict(stored)
    gate = run.run.load_json("gate")
    return write_gate(folder, run.load_network("gate_backbone"), statistics, Profile(**gate["profile"]))


def _write_keras(folder: Path, source: SegmenterSource) -> dict[str, str]:
    from pipeline.models.stored_models import save_model

    (folder / "keras").mkdir()
    save_model(source.network, folder / KERAS_FILES["weights"], folder / KERAS_FILES["architecture"])
    return KERAS_FILES
