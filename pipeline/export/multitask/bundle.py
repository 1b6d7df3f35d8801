"""A finished run as a bundle: ONNX graphs, preprocessing, class names, figures, model card and hashes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.data.scans import PAIRED
from pipeline.evaluation.comparison.words import choice_words
from pipeline.export.bundle_folder import SCHEMA_VERSION, without_folders
from pipeline.export.card.data_terms import data_terms
from pipeline.export.card.rendering import render_card
from pipeline.export.multitask.finished_run import ROLES, SYSTEM, FinishedRun
from pipeline.export.multitask.run_figures import read_figures
from pipeline.export.multitask.run_parity import compare_backbone_rows, compare_stored_rows, compare_whole_path
from pipeline.export.multitask.stored_backbones import collect_backbones, modality_entries
from pipeline.export.onnx.graphs import convert_network, graph_metadata
from pipeline.export.onnx.kernel_files import write_graphs
from pipeline.export.onnx.packing import pack_largest
from pipeline.export.onnx.stored_weights import store_as_float16
from pipeline.export.parity import Graph, ParityRecord, compare_with_keras
from pipeline.export.template import PLAIN, Exporter, ExportOptions
from pipeline.models import composed_networks as composed

THRESHOLD = 0.5


class MultitaskExporter(Exporter):
    """The variant that validation chose, of a run whose stages s01 to s05 are done; s06's figures where they are there."""

    SYSTEM = SYSTEM
    source: FinishedRun

    def __init__(self, source: FinishedRun, options: ExportOptions = PLAIN) -> None:
        super().__init__(source, options)
        self.backbones, self.read_by = collect_backbones(source)
        self.probability = composed.probability_output(source.classes.positive)
        self.networks = _compose(source, self.probability)

    @classmethod
    def read_run(cls, run_dir: Path) -> FinishedRun:
        return FinishedRun(run_dir)

    def write_graphs(self, folder: Path) -> None:
        metadata = graph_metadata(self.source.classes.names, self.source.classes.positive, SYSTEM, SCHEMA_VERSION)
        graphs = {b.file: convert_network(b.network, composed.BACKBONE_OUTPUTS, metadata) for b in self.backbones.values()}
        graphs |= {
            f"{name}.onnx": convert_network(network, self.outputs_of(name), metadata) for name, network in self.networks.items()
        }
        for graph in graphs.values():
            store_as_float16(graph, require=self.source.stored_precision == "float16")
        write_graphs(graphs, folder)

    def check_parity(self, folder: Path, document: Mapping[str, Any]) -> dict[str, Any]:
        """Graphs on random rows, on the run's own rows and on its pixels."""
        record = ParityRecord()
        backbone_graphs = {key: Graph(folder / backbone.file) for key, backbone in self.backbones.items()}
        graphs = {name: Graph(folder / f"{name}.onnx") for name in self.networks}
        for key, backbone in self.backbones.items():
            compare_with_keras(record, f"backbone_{key}", backbone_graphs[key], backbone.network, composed.BACKBONE_OUTPUTS)
        for name, network in self.networks.items():
            compare_with_keras(record, name, graphs[name], network, self.outputs_of(name))
        features = compare_backbone_rows(record, self.source, self.read_by, backbone_graphs)
        compare_stored_rows(record, self.source, graphs, self.probability)
        compare_whole_path(record, self.source, graphs, features, self.probability)
        return record.document()

    def outputs_of(self, name: str) -> tuple[str, ...]:
        """Output names of a network: ``xray``, ``ct`` or ``paired``."""
        return (self.probability,) if name == "paired" else (self.probability, composed.JOINT_FEATURES)

    def write_keras(self, folder: Path) -> dict[str, Any]:
        """The run's own files, under the names that they have here."""
        parts = {f"backbone_{b.key}": b.run_name for b in self.backbones.values()}
        modalities = self.source.modalities
        names = [f"embedder_{m}_{r}" for m in modalities for r in ROLES] + [f"task_extractor_{m}" for m in modalities]
        names += [f"shared_{self.source.variant}"] + [f"head_{n}" for n in self.source.answered]
        for name, stored in (parts | {name: name for name in names}).items():
            weights, architecture = self.source.network_files(stored)
            shutil.copyfile(weights, folder / "keras" / f"{name}.weights.h5")
            shutil.copyfile(architecture, folder / "keras" / f"{name}.json")
        return {}

    def settle(self, folder: Path, document: dict[str, Any]) -> dict[str, Any]:
        return pack_largest(folder, document)

    def card(self, document: Mapping[str, Any], files: Mapping[str, Mapping]) -> str:
        return render_card(
            "multitask", document=document, files=files, dataset=self.source.dataset, data_terms=data_terms(self.source),
            extra_text=self.options.card, choice=choice_words(self.source.choice["variants"], "it"),
        )  # fmt: skip

    def document(self) -> dict[str, Any]:
        profile_of = {name: self.source.embedders[name]["profile"] for name in self.read_by}
        return {
            "variant": self.source.variant,
            "class_names": list(self.source.classes.names),
            "positive_class": self.source.classes.positive,
            "threshold": None if self.source.classes.positive is None else THRESHOLD,
            "probability_output": self.probability,
            "profiles": {name: self.source.dataset["profiles"][name] for name in sorted(set(profile_of.values()))},
            "backbones": {key: backbone.entry() for key, backbone in self.backbones.items()},
            "modalities": modality_entries(self.read_by, profile_of),
            "paired": {"network": "paired.onnx"} if PAIRED in self.source.answered else None,
            "figures": read_figures(self.source),
            "training": without_folders(self.source.training()),
            "stored_precision": self.source.stored_precision,
        }


def _compose(source: FinishedRun, probability: str) -> dict[str, Any]:
    shared = source.load_network(f"shared_{source.variant}")
    networks = {
        modality: composed.compose_modality(modality, composed.ModalityParts(
            task_embedder=source.load_network(f"embedder_{modality}_task"),
            task_extractor=source.load_network(f"task_extractor_{modality}"),
            shared_embedder=source.load_network(f"embedder_{modality}_shared"),
            shared_extractor=shared,
            head=source.load_network(f"head_{modality}"),
        ), probability)
        for modality in source.modalities
    }  # fmt: skip
    if PAIRED not in source.answered:
        return networks
    return {**networks, PAIRED: composed.compose_paired(source.load_network("head_paired"), probability)}
